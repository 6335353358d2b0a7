"""What is read off a model before it is trained: the given things, the data flow, the source."""
