"""What moves: video files, animated pictures and folders of frames, behind one protocol."""
