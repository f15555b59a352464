"""What everything else is built on: records, geometry, labels, errors, the Protocols between the parts."""
