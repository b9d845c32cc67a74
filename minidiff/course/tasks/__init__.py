"""What the notebooks ask their readers to write: a file a notebook, each with its checks and right answers."""
