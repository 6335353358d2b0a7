"""Small pictures as SVG text, for reports and notebooks: no script, nothing from outside."""
