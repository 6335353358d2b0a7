"""Pictures of studies and runs as PNG, SVG or PDF, with matplotlib. See docs/report.md."""
