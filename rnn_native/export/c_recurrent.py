"""The C functions of recurrent layers.

None is called `..._step`: that is how a public name of the file ends.
"""

RECURRENCE = """\
/* h, a state of `units` numbers, and c, the cell of an LSTM, become those of the next step; x
 * has the products of the step's inputs, `product` those of h. 1 gate: tanh; 3: r, z, n of a
 * GRU; 4: i, f, g, o of an LSTM, as in PyTorch. */
static void
recurrence(float *h, float *c, const float *x, const float *product, int units, int gates)
{
    for (int u = 0; u < units; u++) {
        const float *z = x + u, *p = product + u;
        if (gates == 1)
            h[u] = tanhf(z[0] + p[0]);
        else if (gates == 3) {
            float r = 1 / (1 + expf(-(z[0] + p[0])));
            float keep = 1 / (1 + expf(-(z[units] + p[units])));
            float n = tanhf(z[2 * units] + r * p[2 * units]);
            h[u] = n + keep * (h[u] - n);
        }
        else {
            float add = 1 / (1 + expf(-(z[0] + p[0])));
            float keep = 1 / (1 + expf(-(z[units] + p[units])));
            float o = 1 / (1 + expf(-(z[3 * units] + p[3 * units])));
            c[u] = keep * c[u] + add * tanhf(z[2 * units] + p[2 * units]);
            h[u] = o * tanhf(c[u]);
        }
    }
}
"""

RECURRENT = """\
/* A state, zero at first, goes through the steps of a sequence; x has the inputs' products of
 * all of them. Steps with real[t] = 0 change nothing, if real is not 0. out has the states
 * after all steps if `sequences`, else after the last. `state` has room for the state, the
 * cell and the products of a step. */
static void
recurrent(float *out, const float *x, const float *weight, const float *bias,
          float *state, const float *real, int steps, int units, int gates, int sequences,
          int reverse)
{
    float *h = state, *c = state + units, *product = c + units;
    for (int u = 0; u < 2 * units; u++)
        state[u] = 0;
    for (int i = 0; i < steps; i++) {
        int t = reverse ? steps - 1 - i : i;
        if (!real || real[t] != 0) {
            dense(product, h, weight, bias, 1, units, gates * units);
            recurrence(h, c, x + t * gates * units, product, units, gates);
        }
        for (int u = 0; u < units; u++)
            if (sequences)
                out[t * units + u] = h[u];
            else if (i + 1 == steps)
                out[u] = h[u];
    }
}
"""
