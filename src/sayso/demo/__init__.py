"""The demonstration: Northwind Outfitters, its made-up contacts, and simulated vendors to try Sayso on."""
