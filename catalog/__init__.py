"""What the shop may say: journeys, channels, contact policy and economics as YAML that people edit, checked line by line."""
