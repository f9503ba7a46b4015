"""Images from the network: fetched once, resumed where they broke off, verified."""
