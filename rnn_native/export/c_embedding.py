"""The C function of the embedding layer."""

EMBEDDING = """\
/* out[t] = the row of `table` whose index is x[t], from 0 to n - 1: beyond, the next one. */
static void
embedding(float *out, const float *x, const float *table, int tokens, int n, int width)
{
    for (int t = 0; t < tokens; t++) {
        float last = (float)(n - 1), index = x[t] > 0 ? x[t] : 0;
        int row = (int)((index < last ? index : last) + 0.5f);
        for (int i = 0; i < width; i++)
            out[t * width + i] = table[row * width + i];
    }
}
"""
