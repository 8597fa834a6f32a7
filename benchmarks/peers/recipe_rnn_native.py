"""Train a recipe from a fresh process, as a user's script does: RECIPE FOLDER THREADS."""

import sys

import rnn_native as rn

recipe, folder, threads = sys.argv[1:]
result = rn.train(recipe, folder, threads=int(threads), verbose=0)
print(result.test_accuracy)
