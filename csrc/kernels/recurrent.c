#include "kernels.h"

#include "../base/simd.h"

#include <string.h>

/* The functions below do one step of one row, H elements a gate. Gate k of the inputs'
 * products, s->gates + k * H, becomes the gate's value; backward it becomes the gradient
 * with respect to what the gate's function is taken of. */
#define GATE(k) (s->gates + (ptrdiff_t)(k) * s->H + j)
#define PRODUCT(k) (s->product + (ptrdiff_t)(k) * s->H + j)
#define LOAD(p) v_load_lanes(p, lanes)
#define STORE(p, v) v_store_lanes(p, v, lanes)
#define LANES(H, j) ((H) - (j) < VL ? (H) - (j) : VL)

/* h = tanh(x + product) */
static void
simple_rnn_forward(const recurrent_step *s)
{
    for (int j = 0; j < s->H; j += VL) {
        int lanes = LANES(s->H, j);
        vf h = v_tanh(LOAD(GATE(0)) + LOAD(PRODUCT(0)));
        STORE(GATE(0), h);
        STORE(s->after + j, h);
    }
}

static void
simple_rnn_backward(const recurrent_step *s)
{
    for (int j = 0; j < s->H; j += VL) {
        int lanes = LANES(s->H, j);
        vf h = LOAD(GATE(0)), dh = LOAD(s->dstate + j);
        STORE(GATE(0), dh * (1.0f - h * h));
        STORE(s->dstate + j, (vf){0});
    }
}

enum { GRU_R, GRU_Z, GRU_N, GRU_PRODUCT_N };

/* r = sigmoid, z = sigmoid, n = tanh(x_n + r product_n), h = n + z (before - n) */
static void
gru_forward(const recurrent_step *s)
{
    for (int j = 0; j < s->H; j += VL) {
        int lanes = LANES(s->H, j);
        vf r = v_sigmoid(LOAD(GATE(GRU_R)) + LOAD(PRODUCT(GRU_R)));
        vf z = v_sigmoid(LOAD(GATE(GRU_Z)) + LOAD(PRODUCT(GRU_Z)));
        vf product = LOAD(PRODUCT(GRU_N));
        vf n = v_tanh(LOAD(GATE(GRU_N)) + r * product);
        STORE(GATE(GRU_R), r);
        STORE(GATE(GRU_Z), z);
        STORE(GATE(GRU_N), n);
        STORE(GATE(GRU_PRODUCT_N), product);
        STORE(s->after + j, n + z * (LOAD(s->before + j) - n));
    }
}

static void
gru_backward(const recurrent_step *s)
{
    for (int j = 0; j < s->H; j += VL) {
        int lanes = LANES(s->H, j);
        vf r = LOAD(GATE(GRU_R)), z = LOAD(GATE(GRU_Z)), n = LOAD(GATE(GRU_N));
        vf dh = LOAD(s->dstate + j);
        vf dn = dh * (1.0f - z) * (1.0f - n * n);
        STORE(GATE(GRU_R), dn * LOAD(GATE(GRU_PRODUCT_N)) * r * (1.0f - r));
        STORE(GATE(GRU_Z), dh * (LOAD(s->before + j) - n) * z * (1.0f - z));
        STORE(GATE(GRU_N), dn);
        STORE(GATE(GRU_PRODUCT_N), dn * r);
        STORE(s->dstate + j, dh * z);
    }
}

enum { LSTM_I, LSTM_F, LSTM_G, LSTM_O, LSTM_TANH };

/* c = f cell + i g, h = o tanh(c). In two loops: in one the processor would wait for each
 * vector's cells before their tanh, and see too few instructions to do meanwhile. */
static void
lstm_forward(const recurrent_step *s)
{
    for (int j = 0; j < s->H; j += VL) {
        int lanes = LANES(s->H, j);
        vf i = v_sigmoid(LOAD(GATE(LSTM_I)) + LOAD(PRODUCT(LSTM_I)));
        vf f = v_sigmoid(LOAD(GATE(LSTM_F)) + LOAD(PRODUCT(LSTM_F)));
        vf g = v_tanh(LOAD(GATE(LSTM_G)) + LOAD(PRODUCT(LSTM_G)));
        vf o = v_sigmoid(LOAD(GATE(LSTM_O)) + LOAD(PRODUCT(LSTM_O)));
        STORE(GATE(LSTM_I), i);
        STORE(GATE(LSTM_F), f);
        STORE(GATE(LSTM_G), g);
        STORE(GATE(LSTM_O), o);
        STORE(s->cell_after + j, f * LOAD(s->cell_before + j) + i * g);
    }
    for (int j = 0; j < s->H; j += VL) {
        int lanes = LANES(s->H, j);
        vf size = v_tanh(LOAD(s->cell_after + j));
        STORE(GATE(LSTM_TANH), size);
        STORE(s->after + j, LOAD(GATE(LSTM_O)) * size);
    }
}

static void
lstm_backward(const recurrent_step *s)
{
    for (int j = 0; j < s->H; j += VL) {
        int lanes = LANES(s->H, j);
        vf i = LOAD(GATE(LSTM_I)), f = LOAD(GATE(LSTM_F)), g = LOAD(GATE(LSTM_G));
        vf o = LOAD(GATE(LSTM_O)), size = LOAD(GATE(LSTM_TANH));
        vf dh = LOAD(s->dstate + j);
        vf dc = LOAD(s->dcell + j) + dh * o * (1.0f - size * size);
        STORE(GATE(LSTM_I), dc * g * i * (1.0f - i));
        STORE(GATE(LSTM_F), dc * LOAD(s->cell_before + j) * f * (1.0f - f));
        STORE(GATE(LSTM_G), dc * i * (1.0f - g * g));
        STORE(GATE(LSTM_O), dh * size * o * (1.0f - o));
        STORE(s->dcell + j, dc * f);
        STORE(s->dstate + j, (vf){0});
    }
}

#undef GATE
#undef PRODUCT
#undef LOAD
#undef STORE
#undef LANES

static const recurrent_cell simple_rnn_cell = {1, 1, false, simple_rnn_forward,
                                               simple_rnn_backward};
static const recurrent_cell gru_cell = {3, 4, false, gru_forward, gru_backward};
static const recurrent_cell lstm_cell = {4, 5, true, lstm_forward, lstm_backward};

/* Where row b's step t is. */
static recurrent_step
recurrent_step_of(const recurrent_sequence *q, int b, int t)
{
    ptrdiff_t at = (ptrdiff_t)b * q->T + t, H = q->H;
    return (recurrent_step){.H = q->H,
                            .gates = q->gates + at * q->cell->kept * H,
                            .product = q->product + b * q->cell->gates * H,
                            .before = q->states + at * H,
                            .cell_before = q->cells + at * H,
                            .dstate = q->dstate + b * H,
                            .dcell = q->dcell + b * H};
}

static bool
is_padding(const recurrent_sequence *q, int b, int t)
{
    return q->real != NULL && q->real[(ptrdiff_t)b * q->T + t] == 0;
}

/* The i-th step that is taken. */
static int
step_at(const recurrent_sequence *q, int i)
{
    return q->reverse ? q->T - 1 - i : i;
}

/* Row b's outputs of step t, or where they are not given NULL. */
static float *
recurrent_output(const recurrent_sequence *q, float *all, int b, int t, bool is_last)
{
    if (q->sequences)
        return all + ((ptrdiff_t)b * q->T + t) * q->H;
    return is_last ? all + (ptrdiff_t)b * q->H : NULL;
}

/* Row b's i-th step: padding leaves the state as it is. The last one's state is written to
 * where the gradients of states will be. */
static void
forward_row(const recurrent_sequence *q, float *out, int b, int i)
{
    int t = step_at(q, i);
    bool is_last = i + 1 == q->T;
    size_t bytes = (size_t)q->H * sizeof(float);
    recurrent_step s = recurrent_step_of(q, b, t);
    ptrdiff_t next = ((ptrdiff_t)b * q->T + (is_last ? 0 : step_at(q, i + 1))) * q->H;
    s.after = is_last ? s.dstate : q->states + next;
    s.cell_after = is_last ? s.dcell : q->cells + next;
    if (is_padding(q, b, t)) {
        memcpy(s.after, s.before, bytes);
        if (q->cell->has_cell)
            memcpy(s.cell_after, s.cell_before, bytes);
    }
    else
        q->cell->forward(&s);
    float *to = recurrent_output(q, out, b, t, is_last);
    if (to != NULL)
        memcpy(to, s.after, bytes);
}

/* Row b's state among those that go from call to call; its cell follows it. */
static float *
carried_state(const recurrent_sequence *q, int b)
{
    return q->carried + (ptrdiff_t)b * q->H * (q->cell->has_cell ? 2 : 1);
}

/* Row b's state before the first step, zero unless a call before has left one. */
static void
take_state(const recurrent_sequence *q, int b)
{
    ptrdiff_t at = ((ptrdiff_t)b * q->T + step_at(q, 0)) * q->H;
    size_t bytes = (size_t)q->H * sizeof(float);
    bool has_cell = q->cell->has_cell;
    if (q->carried == NULL) {
        memset(q->states + at, 0, bytes);
        if (has_cell)
            memset(q->cells + at, 0, bytes);
        return;
    }
    memcpy(q->states + at, carried_state(q, b), bytes);
    if (has_cell)
        memcpy(q->cells + at, carried_state(q, b) + q->H, bytes);
}

/* The state after the last step, to where the next call finds it. */
static void
leave_state(const recurrent_sequence *q, int b)
{
    ptrdiff_t at = (ptrdiff_t)b * q->H;
    size_t bytes = (size_t)q->H * sizeof(float);
    memcpy(carried_state(q, b), q->dstate + at, bytes);
    if (q->cell->has_cell)
        memcpy(carried_state(q, b) + q->H, q->dcell + at, bytes);
}

static void
recurrent_forward(float *out, const float *weight, const float *bias,
                  const recurrent_sequence *q)
{
    int H = q->H, columns = q->cell->gates * H;
    for (int b = 0; b < q->rows; b++)
        take_state(q, b);
    for (int i = 0; i < q->T; i++) {
        gemm_bias(q->product, columns, q->states + (ptrdiff_t)step_at(q, i) * H, q->T * H,
                  weight, columns, bias, false, true, q->rows, columns, H);
        for (int b = 0; b < q->rows; b++)
            forward_row(q, out, b, i);
    }
    for (int b = 0; b < q->rows && q->carried != NULL; b++)
        leave_state(q, b);
}

static void
backward_row(const recurrent_sequence *q, const float *dout, int b, int i)
{
    int t = step_at(q, i);
    recurrent_step s = recurrent_step_of(q, b, t);
    const float *given = recurrent_output(q, (float *)dout, b, t, i + 1 == q->T);
    if (given != NULL)
        add(s.dstate, s.dstate, given, q->H);
    if (is_padding(q, b, t))
        memset(s.gates, 0, (size_t)(q->cell->kept * q->H) * sizeof(float));
    else
        q->cell->backward(&s);
}

/* Where the gradient of gate k's product with the state is among what a step keeps: of a
 * GRU's n it is not that of the input's. */
static int
product_gate(const recurrent_cell *cell, int k)
{
    return cell == &gru_cell && k == GRU_N ? GRU_PRODUCT_N : k;
}

/* Gates that stand side by side in the products' gradients. */
static int
gates_together(const recurrent_cell *cell)
{
    return cell == &gru_cell ? 2 : cell->gates;
}

static void
recurrent_backward(const float *dout, const float *transposed, int truncate,
                   const recurrent_sequence *q)
{
    int H = q->H, stride = q->T * q->cell->kept * H, n = gates_together(q->cell);
    size_t bytes = (size_t)q->rows * (size_t)H * sizeof(float);
    memset(q->dstate, 0, bytes);
    if (q->cell->has_cell)
        memset(q->dcell, 0, bytes);
    for (int i = q->T - 1; i >= 0; i--) {
        for (int b = 0; b < q->rows; b++)
            backward_row(q, dout, b, i);
        if (truncate > 0 && i % truncate == 0) {
            memset(q->dstate, 0, bytes);
            if (q->cell->has_cell)
                memset(q->dcell, 0, bytes);
            continue;
        }
        const float *gates = q->gates + (ptrdiff_t)step_at(q, i) * q->cell->kept * H;
        for (int k = 0; k < q->cell->gates && i > 0; k += n, n = q->cell->gates - k)
            gemm(q->dstate, H, gates + (ptrdiff_t)product_gate(q->cell, k) * H, stride, 1,
                 transposed + (ptrdiff_t)k * H * H, H, q->rows, H, n * H, 1.0f, 1.0f);
        n = gates_together(q->cell);
    }
}

/* Columns of gates from `from` on, `count` of them, meet those of the state's weight. */
static void
recurrent_columns(float *weight_target, const recurrent_sequence *q, int from, int count,
                  float alpha, float beta)
{
    int H = q->H, stride = q->cell->kept * H, columns = q->cell->gates * H;
    const float *gates = q->gates + (ptrdiff_t)product_gate(q->cell, from) * H;
    gemm(weight_target + (ptrdiff_t)from * H, columns, q->states, 1, H, gates, stride, H,
         count * H, q->rows * q->T, alpha, beta);
}

/* Both biases are added to the same sums, except for a GRU's n. */
static void
recurrent_backward_biases(float *input_target, float *target, const recurrent_sequence *q,
                          float alpha, float beta)
{
    int H = q->H, stride = q->cell->kept * H, columns = q->cell->gates * H;
    int steps = q->rows * q->T, same = gates_together(q->cell) * H, rest = columns - same;
    sum_rows(input_target, q->gates, stride, steps, columns, alpha, beta);
    memcpy(target, input_target, (size_t)same * sizeof(float));
    if (rest > 0)
        sum_rows(target + same, q->gates + (ptrdiff_t)GRU_PRODUCT_N * H, stride, steps,
                 rest, alpha, beta);
}

static void
recurrent_backward_params(float *weight_target, const recurrent_sequence *q, float alpha,
                          float beta)
{
    int together = gates_together(q->cell), rest = q->cell->gates - together;
    recurrent_columns(weight_target, q, 0, together, alpha, beta);
    if (rest > 0)
        recurrent_columns(weight_target, q, together, rest, alpha, beta);
}
