"""What commands share: the console and its tables, options, the guard of paths, printers."""
