"""What the agent tells monitoring about itself: numbers and spans, and never what anybody wrote."""
