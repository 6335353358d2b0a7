"""The ground floor: frozen data, no framework, no input or output."""
