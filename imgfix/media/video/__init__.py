"""Video files in and out: what they hold, their frames, their other streams; PyAV and numpy only."""
