"""The training process's end: what the user's loop talks to, and what obeys the tuner."""
