"""Where runs train: in this process, or in a pool of processes on this machine."""
