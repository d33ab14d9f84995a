"""What a call uses: its cost, and estimates of its tokens."""
