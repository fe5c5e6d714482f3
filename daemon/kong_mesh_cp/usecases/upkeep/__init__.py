"""What the control plane keeps true by itself: insights and liveness."""
