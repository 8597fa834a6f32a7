#include "line_search.h"

#include <math.h>

#define DECREASE 1e-3
#define CURVATURE 0.9

/* An interval this narrow, beside its greater end, is not searched further. */
#define NARROW 0.1

/* A bracket that has not shrunk to this share in two trials is halved. */
#define SHRINKS 0.66

/* How far beyond the last trial a step may go where no minimum is bracketed. */
#define REACH_LEAST 1.1
#define REACH_MOST 4.0

#define MAX_STEP 1e20
#define MAX_TRIALS 20

void
rnn_line_begin(rnn_line_search *search, double value, double slope, double step)
{
    rnn_line_point start = {0, value, slope};
    *search = (rnn_line_search){.start = start,
                                .best = start,
                                .other = start,
                                .step = step,
                                .most = MAX_STEP,
                                .width = {MAX_STEP, 2 * MAX_STEP}};
}

/* The minimum of the cubic through two points with these slopes; without one, NaN. */
static double
cubic_minimum(rnn_line_point a, rnn_line_point b)
{
    double theta = 3 * (a.value - b.value) / (b.step - a.step) + a.slope + b.slope;
    double scale = fmax(fabs(theta), fmax(fabs(a.slope), fabs(b.slope)));
    double inside = (theta / scale) * (theta / scale) - a.slope / scale * (b.slope / scale);
    if (!(inside >= 0))
        return NAN;
    double gamma = copysign(scale * sqrt(inside), b.step - a.step);
    double ratio = (gamma - a.slope + theta) / (2 * gamma - a.slope + b.slope);
    return a.step + ratio * (b.step - a.step);
}

/* The minimum of the parabola with a's value and slope and b's value. */
static double
parabola_minimum(rnn_line_point a, rnn_line_point b)
{
    double chord = (a.value - b.value) / (b.step - a.step);
    return a.step + a.slope / (chord + a.slope) / 2 * (b.step - a.step);
}

/* Where the line through both slopes is 0. */
static double
secant_zero(rnn_line_point a, rnn_line_point b)
{
    return b.step + b.slope / (b.slope - a.slope) * (a.step - b.step);
}

static double
nearer(double to, double a, double b)
{
    return fabs(a - to) < fabs(b - to) ? a : b;
}

static double
farther(double from, double a, double b)
{
    return fabs(a - from) > fabs(b - from) ? a : b;
}

/* Puts a trial among the ends of the interval, and returns the next step, which is not
 * bounded yet. The four cases of the paper's section 4. */
static double
move_interval(rnn_line_point *best, rnn_line_point *other, rnn_line_point trial,
              bool *is_bracketed, double low, double high)
{
    double cubic = cubic_minimum(*best, trial), step;
    bool has_turned = (trial.slope < 0) != (best->slope < 0);
    if (trial.value > best->value) {
        double parabola = parabola_minimum(*best, trial);
        step =
            nearer(best->step, cubic, parabola) == cubic ? cubic : (cubic + parabola) / 2;
        *is_bracketed = true;
        *other = trial;
        return step;
    }
    if (has_turned) {
        step = farther(trial.step, cubic, secant_zero(*best, trial));
        *is_bracketed = true;
        *other = *best;
    }
    else if (fabs(trial.slope) <= fabs(best->slope)) {
        double secant = secant_zero(*best, trial);
        /* A cubic that falls forever, or whose minimum precedes the step, says only: far.
         */
        bool is_ahead = (cubic - trial.step) * (trial.step - best->step) > 0;
        if (!is_ahead)
            cubic = trial.step > best->step ? high : low;
        step = *is_bracketed ? nearer(trial.step, cubic, secant)
                             : farther(trial.step, cubic, secant);
        if (*is_bracketed) {
            double limit = trial.step + SHRINKS * (other->step - trial.step);
            step = trial.step > best->step ? fmin(limit, step) : fmax(limit, step);
        }
    }
    else if (*is_bracketed) {
        step = cubic_minimum(*other, trial);
    }
    else {
        step = trial.step > best->step ? high : low;
    }
    *best = trial;
    return step;
}

/* The same point of f(t) - DECREASE t f'(0). */
static rnn_line_point
tilted(rnn_line_point point, double slope)
{
    return (rnn_line_point){point.step, point.value - point.step * slope,
                            point.slope - slope};
}

/* As long as no trial has decreased enough, the interval is that of the tilted function. */
static double
next_step(rnn_line_search *s, rnn_line_point trial, double tilt, double low, double high)
{
    bool tilts = !s->has_decreased && trial.value <= s->best.value
                 && trial.value > s->start.value + trial.step * tilt;
    if (!tilts)
        return move_interval(&s->best, &s->other, trial, &s->is_bracketed, low, high);
    s->best = tilted(s->best, tilt);
    s->other = tilted(s->other, tilt);
    double step = move_interval(&s->best, &s->other, tilted(trial, tilt), &s->is_bracketed,
                                low, high);
    s->best = tilted(s->best, -tilt);
    s->other = tilted(s->other, -tilt);
    return step;
}

/* Halves a bracket that shrinks too slowly, and notes how wide it is. */
static double
shrink(rnn_line_search *s, double step)
{
    double width = fabs(s->other.step - s->best.step);
    if (width >= SHRINKS * s->width[1])
        step = s->best.step + (s->other.step - s->best.step) / 2;
    s->width[1] = s->width[0];
    s->width[0] = width;
    return step;
}

rnn_line_advice
rnn_line_see(rnn_line_search *s, double value, double slope)
{
    rnn_line_point trial = {s->step, value, slope};
    if (++s->trials >= MAX_TRIALS && !isfinite(value))
        return RNN_LINE_BEST;
    if (!isfinite(value) || !isfinite(slope)) {
        s->most = s->step;
        s->step = s->best.step + (s->step - s->best.step) / 2;
        return s->step > 0 ? RNN_LINE_TRY : RNN_LINE_BEST;
    }
    double tilt = DECREASE * s->start.slope;
    bool decreases = value <= s->start.value + trial.step * tilt;
    if (decreases && fabs(slope) <= CURVATURE * -s->start.slope)
        return RNN_LINE_TAKE;
    s->has_decreased |= decreases && slope >= 0;
    double ahead = trial.step - s->best.step;
    double low = trial.step + REACH_LEAST * ahead, high = trial.step + REACH_MOST * ahead;
    double step = next_step(s, trial, tilt, low, high);
    if (s->is_bracketed) {
        step = shrink(s, step);
        low = fmin(s->best.step, s->other.step);
        high = fmax(s->best.step, s->other.step);
        if (!(step > low && step < high) || high - low <= NARROW * high)
            return RNN_LINE_BEST;
    }
    else {
        step = fmin(fmax(step, low), high);
    }
    if (step >= s->most)
        step = s->best.step + (s->most - s->best.step) / 2;
    s->step = step;
    bool ends = s->trials >= MAX_TRIALS || !isfinite(step) || step >= MAX_STEP;
    return ends ? RNN_LINE_BEST : RNN_LINE_TRY;
}
