"""Words and looks of every mail: plain data in, subject, HTML and text out."""
