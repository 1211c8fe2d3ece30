"""The browser page: style transfer on the visitor's own machine, with no server behind it."""
