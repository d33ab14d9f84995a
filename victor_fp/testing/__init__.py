"""What programs need to test their own code and providers."""
