"""Next best action, its parts: outcomes of actions, features of users, the model."""
