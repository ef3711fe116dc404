"""What the author of a recipe tests with: the contract suite, small worlds, a live server.

`contract.RecipeContract` is the suite that every recipe must pass, `worlds` has data whose best answer is
known, `live` trains and deploys a recipe through the API, and `plugin` has both as fixtures. Needs pytest.
"""
