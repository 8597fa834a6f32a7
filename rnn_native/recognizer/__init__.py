"""From a drawing or a picture to a digit, and a window to draw in.

`strokes` holds drawings as lines, `preprocessing` makes them and pictures into what MNIST
looks like, `reading` says which digit it is, or why it cannot decide, and `state` is all that
the window shows, without the window. Only `window` and `panels` need Tk.
"""
