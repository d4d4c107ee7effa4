"""`python -m mesozoic`."""

from mesozoic.cli.app import main

main()
