"""The page: a study in the browser, served by `luthier serve`. See docs/page.md."""
