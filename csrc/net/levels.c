#include "level.h"

#include "../base/cpu.h"

#include <stdio.h>
#include <string.h>

#if defined(__x86_64__)
extern const rnn_level rnn_level_v2, rnn_level_v3, rnn_level_v4;
const rnn_level *const rnn_levels[] = {&rnn_level_v2, &rnn_level_v3, &rnn_level_v4, NULL};
#elif defined(__aarch64__)
extern const rnn_level rnn_level_neon;
const rnn_level *const rnn_levels[] = {&rnn_level_neon, NULL};
#else
extern const rnn_level rnn_level_generic;
const rnn_level *const rnn_levels[] = {&rnn_level_generic, NULL};
#endif

static const rnn_level *chosen;

const rnn_level *
rnn_level_current(void)
{
    if (chosen == NULL) {
        chosen = rnn_levels[0];
        for (int i = 1; rnn_levels[i] != NULL; i++)
            if (rnn_cpu_runs(rnn_levels[i]->name))
                chosen = rnn_levels[i];
    }
    return chosen;
}

rnn_status
rnn_level_choose(const char *name, rnn_error *error)
{
    for (int i = 0; rnn_levels[i] != NULL; i++) {
        if (strcmp(rnn_levels[i]->name, name) != 0)
            continue;
        if (!rnn_cpu_runs(name)) {
            snprintf(error->text, sizeof error->text,
                     "CPU level %s needs instructions that this processor lacks; the best "
                     "it runs is %s",
                     name, rnn_level_current()->name);
            return RNN_EINVAL;
        }
        chosen = rnn_levels[i];
        return RNN_OK;
    }
    snprintf(error->text, sizeof error->text,
             "unknown CPU level '%.40s', expected %s to %s", name, rnn_levels[0]->name,
             rnn_level_current()->name);
    return RNN_EINVAL;
}

const rnn_layer_type *
rnn_level_find_layer(const rnn_level *level, const char *name)
{
    for (int i = 0; level->layers[i] != NULL; i++)
        if (strcmp(level->layers[i]->name, name) == 0)
            return level->layers[i];
    return NULL;
}

const rnn_loss_type *
rnn_level_find_loss(const rnn_level *level, const char *name)
{
    for (int i = 0; level->losses[i].name != NULL; i++)
        if (strcmp(level->losses[i].name, name) == 0)
            return &level->losses[i];
    return NULL;
}

const rnn_optimizer_type *
rnn_level_find_optimizer(const rnn_level *level, const char *name)
{
    for (int i = 0; level->optimizers[i].name != NULL; i++)
        if (strcmp(level->optimizers[i].name, name) == 0)
            return &level->optimizers[i];
    return NULL;
}
