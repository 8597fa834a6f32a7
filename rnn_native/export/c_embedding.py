"""The C functions of tables: columns of one, and the embedding layer."""

COLUMNS = """\
/* out = `count` columns of x from column `first` on; a row of x has `wide`. */
static void
columns(float *out, const float *x, int rows, int first, int count, int wide)
{
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < count; j++)
            out[i * count + j] = x[i * wide + first + j];
}
"""

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
