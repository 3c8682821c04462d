"""The demonstration: a shop's last months, played through the real product on a virtual clock."""
