#!/usr/bin/python3
"""Greet somebody through the cell greeter: greet.py [NAME [COUNT]]."""
import sys
from cell_client import CellError, Client

name, count = (sys.argv[1:] + ["world", "1"][len(sys.argv) - 1:])[:2]
try:
    greeter = Client("greeter")
    print(greeter.call("Greet", name=name).text)
    for greeting in greeter.stream("GreetMany", name=name, count=int(count) - 1):
        print(greeting.text, greeting.number)
except (CellError, OSError) as error:
    sys.exit(f"greet.py: {error}")
