/* The object behind Net, for the two files that implement it. */
#ifndef RNN_NET_OBJECT_H
#define RNN_NET_OBJECT_H

#include "core.h"

#include "../net/net.h"

typedef struct {
    PyObject ob_base;
    rnn_net *net;
    int busy; /* read and written with the GIL held */
} NetObject;

#define NET(op) (((NetObject *)(op))->net)

/* net_calls.c: train, evaluate, predict, gradients, maps. */
extern PyMethodDef net_methods[];

#endif
