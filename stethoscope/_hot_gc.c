/* What the garbage collector calls before and after each of its runs, compiled.

A function in Python would be a place where CPython runs the handlers of signals that have come, and what one raises there, such as the
KeyboardInterrupt of Ctrl-C, would be printed and lost: nothing leaves a callback of the collector. Compiled code is no such
place. So a handler runs after it, in the code of the app, where it would have run without us.

`instruments/runtime/collector.py` has the same in Python.
*/

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <time.h>

#ifndef SOURCE
#define SOURCE "unknown"
#endif

typedef struct {
    PyObject_HEAD
    PyObject *runs;
    Py_ssize_t most;
    double began;
} Runs;

static double now(void) { /* time.perf_counter, which reads this clock on Linux */
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static PyObject *runs_new(PyTypeObject *type, PyObject *args, PyObject *options) {
    Py_ssize_t most;
    if (!PyArg_ParseTuple(args, "n", &most))
        return NULL;
    Runs *self = (Runs *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->most = most;
    self->runs = PyList_New(0);
    if (self->runs == NULL)
        Py_CLEAR(self);
    return (PyObject *)self;
}

static void runs_dealloc(Runs *self) {
    Py_CLEAR(self->runs);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

/* Runs.__call__ */
static PyObject *runs_call(Runs *self, PyObject *args, PyObject *options) {
    const char *phase;
    PyObject *info;
    if (!PyArg_ParseTuple(args, "sO!", &phase, &PyDict_Type, &info))
        return NULL;
    if (strcmp(phase, "start") == 0)
        self->began = now();
    else if (self->began != 0.0 && PyList_GET_SIZE(self->runs) < self->most) {
        PyObject *generation = PyDict_GetItemString(info, "generation");
        PyObject *collected = PyDict_GetItemString(info, "collected");
        PyObject *uncollectable = PyDict_GetItemString(info, "uncollectable");
        if (generation && collected && uncollectable) {
            PyObject *run = Py_BuildValue("(OdOO)", generation, now() - self->began, collected, uncollectable);
            int failed = run == NULL || PyList_Append(self->runs, run) < 0;
            Py_XDECREF(run);
            if (failed)
                return NULL;
        }
    }
    Py_RETURN_NONE;
}

/* Runs.take */
static PyObject *runs_take(Runs *self, PyObject *none) {
    PyObject *fresh = PyList_New(0), *taken = self->runs;
    if (fresh == NULL)
        return NULL;
    self->runs = fresh;
    return taken;
}

static PyMethodDef runs_methods[] = {{"take", (PyCFunction)runs_take, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};

static PyTypeObject RunsType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "stethoscope._hot_gc.Runs",
    .tp_basicsize = sizeof(Runs),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = runs_new,
    .tp_dealloc = (destructor)runs_dealloc,
    .tp_call = (ternaryfunc)runs_call,
    .tp_methods = runs_methods,
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "stethoscope._hot_gc", .m_size = -1};

PyMODINIT_FUNC PyInit__hot_gc(void) {
    if (PyType_Ready(&RunsType) < 0)
        return NULL;
    PyObject *module = PyModule_Create(&definition);
    if (module == NULL || PyModule_AddType(module, &RunsType) < 0 ||
        PyModule_AddStringConstant(module, "SOURCE", SOURCE) < 0)
        Py_CLEAR(module);
    return module;
}
