/* The plain way of a plain request, compiled.

The Python code is the whole story and stays so: every function here does what the Python function of the same name
does, in the plain case only. Whatever is not plain (a message that is no dict, a header of ours in the app's response, a
series without a place, a clock that a test has put in, …) goes to the Python function, before anything was
changed. So this file knows no rule that is not written down in `series.py` and `exchange.py`, and may be left out.

It can do so because the objects keep their fields in the structs below, which are bases of the Python classes
(`hot.py` has the same as slots). `quicken` puts a compiled method in the place of a Python one and keeps that for
all that is not plain.

Rests on the interpreter lock: nothing in here gives it up between reading a number and storing it, except where Python
code is called. It is not built for interpreters without that lock.

Memory: the numbers lie in memory that memoryviews of `segment.py` and `series.py` describe; a series holds
the memoryview, and that holds the mapping. Every index is checked against it.
*/

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stddef.h>
#include <string.h>
#include <structmember.h>
#include <time.h>

#ifndef SOURCE
#define SOURCE "unknown"
#endif

#define REMEMBERED 1024       /* timing.REMEMBERED */
#define BACKGROUND_FROM 0.001 /* exchange._BACKGROUND_FROM */

/* Texts that are looked up again and again. */

#define TEXTS(T)                                                                                                        \
    T(type) T(headers) T(method) T(scheme) T(status) T(trailers) T(body) T(more_body) T(router) T(route) T(root_path)   \
    T(app_root_path) T(fastapi) T(effective_route_context) T(original_route) T(path_format) T(find) T(failed)           \
    T(add_outcome) T(record) T(first_byte) T(clock) T(correlation_id) T(name_route) T(remembered)         \
    T(throw) T(close) T(send) T(_record) T(serves) T(path)

#define DECLARE(name) static PyObject *text_##name;
TEXTS(DECLARE)
static PyObject *kind_http, *kind_start, *kind_body, *x_request_id, *empty_text, *unmatched, *zero, *empty_tuple;

/* What Python functions do in the cases that are not plain, by `quicken`. */

static PyObject *plain_add, *plain_record, *plain_record_request, *plain_init, *plain_send, *plain_close, *plain_enter,
    *plain_leave;

/* The class `exchange.Exchange`, by `quicken`, and the context variable `current.CURRENT`. */

static PyObject *exchange_class, *current;

/* The module `exchange` as it is now: tests put in clocks and faults there. And what was in it at first. */

static PyObject *exchange_globals, *own_clock, *own_correlation_id, *own_name_route, *fresh_ids;

/* Structs: the fields of the Python classes, by the same names. */

typedef struct {
    PyObject_HEAD
    PyObject *bind, *words;
    Py_ssize_t word;
} Scalar;

typedef struct {
    PyObject_HEAD
    PyObject *bind_block, *no_blocks, *blocks, *bounds, *bucket_of, *edges, *lanes, *longs, *words, *places;
    Py_ssize_t bucket, word;
} HistogramSeries;

typedef struct {
    PyObject_HEAD
    PyObject *duration, *received, *sent;
} RequestSeries;

typedef struct {
    PyObject_HEAD
    PyObject *active, *outcomes;
    char sends_body;
} Inlet;

typedef struct {
    PyObject_HEAD
    double seconds, until;
} Bar;

typedef struct {
    PyObject_HEAD
    PyObject *inlets, *exclusions, *timing, *endpoints, *tell_of_arrival, *tell_of_record, *tell_of_return, *more_headers;
    long long failures;
    char sends_id, adds_headers;
} Layer;

typedef struct {
    PyObject_HEAD
    PyObject *scope, *id, *route, *shares, *carried, *token, *trace;
    double started;
    char over, counted, is_alone; /* is_alone: nothing was current before */
} Current;

typedef struct {
    Current current;
    PyObject *layer, *receive, *send, *headers, *inlet, *error, *status;
    double first_byte, ended;
    long long received, sent, parts;
    char disconnected, trailers, last, recorded, excluded;
} Exchange;

static PyTypeObject ScalarType, HistogramSeriesType, RequestSeriesType, InletType, BarType, LayerType, CurrentType, ExchangeType,
    SendingType;

#define OBJECT(Struct, name, field) {name, T_OBJECT, offsetof(Struct, field), 0, NULL}
#define FLAG(Struct, name, field) {name, T_BOOL, offsetof(Struct, field), 0, NULL}
#define INDEX(Struct, name, field) {name, T_PYSSIZET, offsetof(Struct, field), 0, NULL}
#define WHOLE(Struct, name, field) {name, T_LONGLONG, offsetof(Struct, field), 0, NULL}
#define NUMBER(Struct, name, field) {name, T_DOUBLE, offsetof(Struct, field), 0, NULL}
#define END {NULL, 0, 0, 0, NULL}

static PyMemberDef scalar_members[] = {
    OBJECT(Scalar, "_bind", bind), OBJECT(Scalar, "words", words), INDEX(Scalar, "word", word), END};

static PyMemberDef histogram_members[] = {
    OBJECT(HistogramSeries, "_bind_block", bind_block), OBJECT(HistogramSeries, "_no_blocks", no_blocks),
    OBJECT(HistogramSeries, "blocks", blocks),          OBJECT(HistogramSeries, "bounds", bounds),
    OBJECT(HistogramSeries, "bucket_of", bucket_of),    OBJECT(HistogramSeries, "edges", edges),
    OBJECT(HistogramSeries, "lanes", lanes),            OBJECT(HistogramSeries, "longs", longs),
    OBJECT(HistogramSeries, "words", words),            OBJECT(HistogramSeries, "places", places),
    INDEX(HistogramSeries, "bucket", bucket),           INDEX(HistogramSeries, "word", word),
    END};

static PyMemberDef request_members[] = {OBJECT(RequestSeries, "_duration", duration),
                                        OBJECT(RequestSeries, "_received", received),
                                        OBJECT(RequestSeries, "_sent", sent), END};

static PyMemberDef inlet_members[] = {OBJECT(Inlet, "active", active), OBJECT(Inlet, "outcomes", outcomes),
                                      FLAG(Inlet, "sends_body", sends_body), END};

static PyMemberDef bar_members[] = {NUMBER(Bar, "seconds", seconds), NUMBER(Bar, "until", until), END};

static PyMemberDef layer_members[] = {
    OBJECT(Layer, "inlets", inlets),
    OBJECT(Layer, "exclusions", exclusions),
    OBJECT(Layer, "timing", timing),
    OBJECT(Layer, "endpoints", endpoints),
    OBJECT(Layer, "tell_of_arrival", tell_of_arrival),
    OBJECT(Layer, "tell_of_record", tell_of_record),
    OBJECT(Layer, "tell_of_return", tell_of_return),
    OBJECT(Layer, "more_headers", more_headers),
    WHOLE(Layer, "failures", failures),
    FLAG(Layer, "sends_id", sends_id),
    FLAG(Layer, "adds_headers", adds_headers),
    END};

static PyMemberDef current_members[] = {
    OBJECT(Current, "scope", scope),   OBJECT(Current, "id", id),           OBJECT(Current, "route", route),
    OBJECT(Current, "shares", shares), OBJECT(Current, "carried", carried), OBJECT(Current, "token", token),
    OBJECT(Current, "trace", trace),   NUMBER(Current, "started", started),
    FLAG(Current, "over", over),       FLAG(Current, "counted", counted),   END};

static PyMemberDef exchange_members[] = {
    OBJECT(Exchange, "_layer", layer),       OBJECT(Exchange, "_receive", receive),
    OBJECT(Exchange, "_send", send),         OBJECT(Exchange, "_headers", headers),
    OBJECT(Exchange, "_inlet", inlet),       OBJECT(Exchange, "error", error),
    OBJECT(Exchange, "status", status),      NUMBER(Exchange, "first_byte", first_byte),
    NUMBER(Exchange, "ended", ended),        WHOLE(Exchange, "received", received),
    WHOLE(Exchange, "sent", sent),           WHOLE(Exchange, "_parts", parts),
    FLAG(Exchange, "disconnected", disconnected), FLAG(Exchange, "_trailers", trailers),
    FLAG(Exchange, "_last", last),           FLAG(Exchange, "_recorded", recorded),
    FLAG(Exchange, "excluded", excluded),    END};

/* All object fields of a struct stand in a row, from the first to the last: that is how they are visited and cleared. */

#define FIRST(Struct, field) ((PyObject **)((char *)self + offsetof(Struct, field)))

#define COLLECTED(Name, Struct, base_traverse, base_clear, first, last)                                                 \
    static int Name##_traverse(PyObject *self, visitproc visit, void *arg) {                                            \
        for (PyObject **field = FIRST(Struct, first); field <= FIRST(Struct, last); field++)                            \
            Py_VISIT(*field);                                                                                           \
        return base_traverse;                                                                                           \
    }                                                                                                                   \
    static int Name##_clear(PyObject *self) {                                                                           \
        for (PyObject **field = FIRST(Struct, first); field <= FIRST(Struct, last); field++)                            \
            Py_CLEAR(*field);                                                                                           \
        return base_clear;                                                                                              \
    }                                                                                                                   \
    static void Name##_dealloc(PyObject *self) {                                                                        \
        PyObject_GC_UnTrack(self);                                                                                      \
        Name##_clear(self);                                                                                             \
        Py_TYPE(self)->tp_free(self);                                                                                   \
    }

COLLECTED(scalar, Scalar, 0, 0, bind, words)
COLLECTED(histogram, HistogramSeries, 0, 0, bind_block, places)
COLLECTED(request, RequestSeries, 0, 0, duration, sent)
COLLECTED(inlet, Inlet, 0, 0, active, outcomes)
COLLECTED(layer, Layer, 0, 0, inlets, more_headers)
COLLECTED(current, Current, 0, 0, scope, trace)
COLLECTED(exchange, Exchange, current_traverse(self, visit, arg), current_clear(self), layer, status)

/* PyObject_TypeCheck, which looks through all bases of a subclass: but there is one of each, as a rule, and it is remembered. */

static inline int is_a(PyObject *object, PyTypeObject *base, PyObject **known) {
    PyObject *type = (PyObject *)Py_TYPE(object);
    if (type == *known)
        return 1;
    if (!PyType_IsSubtype((PyTypeObject *)type, base))
        return 0;
    Py_XSETREF(*known, Py_NewRef(type));
    return 1;
}

#define IS_A(object, Name) is_a(object, &Name##Type, &known_##Name)

static PyObject *known_Scalar, *known_HistogramSeries, *known_RequestSeries, *known_Inlet, *known_Bar, *known_Layer,
    *known_Exchange;

static inline void put(PyObject **field, PyObject *value) {
    PyObject *old = *field;
    Py_INCREF(value);
    *field = value;
    Py_XDECREF(old);
}

/* Numbers in memory. Each returns a pointer to where a number is, NULL where there is none. */

static inline void *number_at(PyObject *view, Py_ssize_t index, Py_ssize_t size) {
    if (view == NULL || !PyMemoryView_Check(view) || index <= 0)
        return NULL;
    Py_buffer *buffer = PyMemoryView_GET_BUFFER(view);
    return (index + 1) * size <= buffer->len ? (char *)buffer->buf + index * size : NULL;
}

/* A Python function, as the method that a compiled one has taken the place of: with three arguments at most. */
static PyObject *call_plain(PyObject *function, PyObject *self, PyObject *const *given, Py_ssize_t count) {
    PyObject *arguments[4] = {self, NULL, NULL, NULL};
    count = count < 3 ? count : 3;
    memcpy(arguments + 1, given, sizeof(PyObject *) * (size_t)count);
    return PyObject_Vectorcall(function, arguments, (size_t)count + 1, NULL);
}

/* series.Scalar.add */

static int add_to(PyObject *scalar, double amount) {
    if (!IS_A(scalar, Scalar))
        return 0;
    double *word = number_at(((Scalar *)scalar)->words, ((Scalar *)scalar)->word, sizeof(double));
    if (word != NULL)
        *word += amount;
    return word != NULL;
}

static PyObject *scalar_add(PyObject *self, PyObject *amount) {
    double number = PyFloat_AsDouble(amount);
    if (number == -1.0 && PyErr_Occurred())
        PyErr_Clear();
    else if (add_to(self, number))
        Py_RETURN_NONE;
    return PyObject_CallFunctionObjArgs(plain_add, self, amount, NULL);
}

/* series.HistogramSeries.record */

static int count_in(PyObject *series, double value) {
    if (series == NULL || !IS_A(series, HistogramSeries))
        return 0;
    HistogramSeries *self = (HistogramSeries *)series;
    if (self->edges == NULL || !PyMemoryView_Check(self->edges) || self->blocks == NULL ||
        !PyList_CheckExact(self->blocks) || self->bucket_of == NULL || !PyBytes_CheckExact(self->bucket_of))
        return 0;
    const double *edges = PyMemoryView_GET_BUFFER(self->edges)->buf;
    Py_ssize_t low = 0, high = PyMemoryView_GET_BUFFER(self->edges)->len / (Py_ssize_t)sizeof(double);
    while (low < high) { /* bisect_left */
        Py_ssize_t middle = (low + high) / 2;
        if (edges[middle] < value)
            low = middle + 1;
        else
            high = middle;
    }
    if ((low >> 6) >= PyList_GET_SIZE(self->blocks) || low >= PyBytes_GET_SIZE(self->bucket_of))
        return 0;
    Py_ssize_t block = PyLong_AsSsize_t(PyList_GET_ITEM(self->blocks, low >> 6));
    if (block <= 0) {
        PyErr_Clear();
        return 0;
    }
    Py_ssize_t bucket = self->bucket + (unsigned char)PyBytes_AS_STRING(self->bucket_of)[low];
    uint32_t *lane = number_at(self->lanes, block + (low & 63), sizeof(uint32_t));
    uint64_t *count = number_at(self->longs, bucket, sizeof(uint64_t));
    double *sum = number_at(self->words, self->word, sizeof(double));
    if (lane == NULL || count == NULL || sum == NULL || *lane == UINT32_MAX || *count == UINT64_MAX)
        return 0;
    *lane += 1;
    *count += 1;
    *sum += value;
    return 1;
}

static PyObject *histogram_record(PyObject *self, PyObject *value) {
    double number = PyFloat_AsDouble(value);
    if (number == -1.0 && PyErr_Occurred())
        PyErr_Clear();
    else if (count_in(self, number))
        Py_RETURN_NONE;
    return PyObject_CallFunctionObjArgs(plain_record, self, value, NULL);
}

/* series.RequestSeries.record */

static int record_one(PyObject *series, double number, PyObject *value) {
    if (count_in(series, number))
        return 0;
    PyObject *made = value ? Py_NewRef(value) : PyFloat_FromDouble(number);
    PyObject *answer = made ? PyObject_CallMethodOneArg(series, text_record, made) : NULL;
    Py_XDECREF(made);
    Py_XDECREF(answer);
    return answer ? 0 : -1;
}

static int record_whole(PyObject *series, long long number) {
    if (count_in(series, (double)number))
        return 0;
    PyObject *value = PyLong_FromLongLong(number);
    int failed = value ? record_one(series, (double)number, value) : -1;
    Py_XDECREF(value);
    return failed;
}

static int record_request(RequestSeries *self, double seconds, long long received, long long sent) {
    if (record_one(self->duration, seconds, NULL) < 0)
        return -1;
    if (received && record_whole(self->received, received) < 0)
        return -1;
    return record_whole(self->sent, sent);
}

static PyObject *request_record(PyObject *self, PyObject *const *values, Py_ssize_t count) {
    if (count == 3 && PyFloat_CheckExact(values[0]) && PyLong_CheckExact(values[1]) && PyLong_CheckExact(values[2])) {
        long long received = PyLong_AsLongLong(values[1]), sent = PyLong_AsLongLong(values[2]);
        if (!PyErr_Occurred()) {
            if (record_request((RequestSeries *)self, PyFloat_AS_DOUBLE(values[0]), received, sent) < 0)
                return NULL;
            Py_RETURN_NONE;
        }
        PyErr_Clear();
    }
    return call_plain(plain_record_request, self, values, count);
}

/* What `exchange` looks up in its module. Each returns -1 with an exception set. */

static int now(double *seconds) {
    PyObject *clock = PyDict_GetItemWithError(exchange_globals, text_clock);
    if (clock == own_clock) { /* time.perf_counter, which reads this clock on Linux */
        struct timespec time;
        clock_gettime(CLOCK_MONOTONIC, &time);
        *seconds = (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
        return 0;
    }
    PyObject *answer = clock ? PyObject_CallNoArgs(clock) : NULL;
    if (answer == NULL)
        return -1;
    *seconds = PyFloat_AsDouble(answer);
    Py_DECREF(answer);
    return *seconds == -1.0 && PyErr_Occurred() ? -1 : 0;
}

/* A pair of two bytes objects, as ASGI has headers; NULL for anything else. */
static inline PyObject *name_of(PyObject *header) {
    if (!PyTuple_CheckExact(header) || PyTuple_GET_SIZE(header) != 2)
        return NULL;
    PyObject *name = PyTuple_GET_ITEM(header, 0);
    return PyBytes_CheckExact(name) ? name : NULL;
}

/* hot.value_of. A new reference; NULL without an exception: there is none. */

static PyObject *find_value(PyObject *headers, PyObject *names) {
    if (!PyList_Check(headers) && !PyTuple_Check(headers))
        return NULL;
    for (Py_ssize_t at = 0; at < PySequence_Fast_GET_SIZE(headers); at++) {
        PyObject *header = PySequence_Fast_GET_ITEM(headers, at), *name = name_of(header);
        for (Py_ssize_t one = 0; name != NULL && one < PyTuple_GET_SIZE(names); one++) {
            PyObject *wanted = PyTuple_GET_ITEM(names, one);
            if (PyBytes_CheckExact(wanted) && PyBytes_GET_SIZE(wanted) == PyBytes_GET_SIZE(name) &&
                memcmp(PyBytes_AS_STRING(wanted), PyBytes_AS_STRING(name), (size_t)PyBytes_GET_SIZE(name)) == 0)
                return Py_NewRef(PyTuple_GET_ITEM(header, 1));
        }
        if (name == NULL) { /* a list of lists, as some servers have it */
            PyObject *pair = PySequence_Tuple(header);
            int bytes = pair && PyTuple_GET_SIZE(pair) == 2 ? PySequence_Contains(names, PyTuple_GET_ITEM(pair, 0)) : -1;
            PyObject *value = bytes > 0 ? Py_NewRef(PyTuple_GET_ITEM(pair, 1)) : NULL;
            if (bytes < 0 && !PyErr_Occurred())
                PyErr_SetString(PyExc_ValueError, "a header is a pair of name and value");
            Py_XDECREF(pair);
            if (bytes)
                return value;
        }
    }
    return NULL;
}

static PyObject *value_of(PyObject *Py_UNUSED(module), PyObject *const *given, Py_ssize_t count) {
    if (count != 2 || !PyTuple_CheckExact(given[1])) {
        PyErr_SetString(PyExc_TypeError, "value_of() takes headers and a tuple of names");
        return NULL;
    }
    PyObject *value = find_value(given[0], given[1]);
    return value || PyErr_Occurred() ? value : Py_NewRef(Py_None);
}

#define IS(name, text) (memcmp(PyBytes_AS_STRING(name), text, sizeof(text) - 1) == 0)

static int carries_an_id(PyObject *name) {
    switch (PyBytes_GET_SIZE(name)) {
    case sizeof("traceparent") - 1: return IS(name, "traceparent");
    case sizeof("x-request-id") - 1: return IS(name, "x-request-id");
    case sizeof("x-correlation-id") - 1: return IS(name, "x-correlation-id");
    default: return 0;
    }
}

/* correlation.correlation_id */
static PyObject *identify(PyObject *headers) {
    PyObject *function = PyDict_GetItemWithError(exchange_globals, text_correlation_id);
    if (function == own_correlation_id && PyList_CheckExact(headers) && PyList_GET_SIZE(fresh_ids)) {
        Py_ssize_t at = 0, count = PyList_GET_SIZE(headers);
        for (; at < count; at++) {
            PyObject *name = name_of(PyList_GET_ITEM(headers, at));
            if (name == NULL || carries_an_id(name))
                break;
        }
        if (at == count) {
            Py_ssize_t last = PyList_GET_SIZE(fresh_ids) - 1;
            PyObject *id = PyList_GET_ITEM(fresh_ids, last); /* which the list gives up its reference to */
            Py_SET_SIZE(fresh_ids, last);
            return id;
        }
    }
    return function ? PyObject_CallOneArg(function, headers) : NULL;
}

/* routes.name_route, for an app that is mounted nowhere. NULL without an exception: ask the Python function. */
static PyObject *plain_template(PyObject *scope) {
    PyObject *router = PyDict_GetItemWithError(scope, text_router);
    PyObject *route = PyDict_GetItemWithError(scope, text_route);
    PyObject *root = PyDict_GetItemWithError(scope, text_root_path);
    if (router == NULL || router == Py_None || route == NULL || route == Py_None ||
        PyDict_GetItemWithError(scope, text_app_root_path) != NULL ||
        (root != NULL && root != Py_None && !(PyUnicode_CheckExact(root) && PyUnicode_GET_LENGTH(root) == 0)))
        return NULL;
    Py_INCREF(route);
    PyObject *included = PyDict_GetItemWithError(scope, text_fastapi);
    PyObject *context = included && PyDict_CheckExact(included)
                            ? PyDict_GetItemWithError(included, text_effective_route_context)
                            : NULL;
    if (context != NULL && context != Py_None) {
        PyObject *original = PyObject_GetAttr(context, text_original_route);
        if (original == route) {
            Py_INCREF(context);
            Py_SETREF(route, context);
        }
        Py_XDECREF(original);
    }
    PyObject *template = PyErr_Occurred() ? NULL : PyObject_GetAttr(route, text_path_format);
    Py_DECREF(route);
    PyErr_Clear();
    if (template != NULL && !(PyUnicode_CheckExact(template) && PyUnicode_GET_LENGTH(template)))
        Py_CLEAR(template);
    return template;
}

static PyObject *find_route(Exchange *self) {
    PyObject *route = self->current.route;
    if (route != NULL && route != Py_None && PyUnicode_CheckExact(route) && PyUnicode_GET_LENGTH(route))
        return Py_NewRef(route);
    PyObject *function = PyDict_GetItemWithError(exchange_globals, text_name_route), *found = NULL;
    if (function == own_name_route)
        found = plain_template(self->current.scope);
    if (found == NULL)
        found = function ? PyObject_CallOneArg(function, self->current.scope) : NULL;
    if (found == NULL)
        return NULL;
    int named = PyObject_IsTrue(found);
    if (named == 0)
        Py_SETREF(found, Py_NewRef(unmatched));
    else if (named < 0)
        Py_CLEAR(found);
    return found;
}

/* `except Exception as error: layer.failed(error)`. Returns -1 for what is no Exception, and stays raised. */
static int report(PyObject *layer) {
    if (!PyErr_ExceptionMatches(PyExc_Exception))
        return -1;
    PyObject *kind, *error, *trace;
    PyErr_Fetch(&kind, &error, &trace);
    PyErr_NormalizeException(&kind, &error, &trace);
    if (trace != NULL)
        PyException_SetTraceback(error, trace);
    PyObject *answer = PyObject_CallMethodOneArg(layer, text_failed, error);
    Py_XDECREF(kind);
    Py_XDECREF(error);
    Py_XDECREF(trace);
    Py_XDECREF(answer);
    return answer ? 0 : -1;
}

/* exchange.Exchange.__init__ */

static int begin(Exchange *self, PyObject *layer, PyObject *scope, PyObject *receive, PyObject *send) {
    if (!PyDict_CheckExact(scope) || !IS_A(layer, Layer))
        return 0;
    Layer *place = (Layer *)layer;
    PyObject *headers = PyDict_GetItemWithError(scope, text_headers);
    PyObject *method = PyDict_GetItemWithError(scope, text_method);
    PyObject *scheme = PyDict_GetItemWithError(scope, text_scheme);
    if (headers == NULL || method == NULL || scheme == NULL || place->exclusions != Py_None || place->inlets == NULL ||
        !PyDict_Check(place->inlets))
        return 0;
    double started;
    if (now(&started) < 0)
        return -1;
    PyObject *key = PyTuple_Pack(2, method, scheme);
    PyObject *inlet = key ? PyDict_GetItemWithError(place->inlets, key) : NULL;
    Py_XDECREF(key);
    if (inlet == NULL || !IS_A(inlet, Inlet) || ((Inlet *)inlet)->active == NULL) {
        PyErr_Clear();
        return 0;
    }
    Py_INCREF(inlet);
    PyObject *id = identify(headers);
    if (id == NULL || !add_to(((Inlet *)inlet)->active, 1.0)) {
        Py_DECREF(inlet);
        Py_XDECREF(id);
        return id ? 0 : -1;
    }
    self->current.started = started;
    put(&self->current.scope, scope);
    Py_XSETREF(self->current.id, id);
    put(&self->current.route, Py_None);
    put(&self->current.shares, Py_None);
    put(&self->current.carried, Py_None);
    put(&self->current.token, Py_None);
    put(&self->current.trace, Py_None);
    put(&self->layer, layer);
    put(&self->receive, receive);
    put(&self->send, send);
    put(&self->headers, empty_tuple);
    Py_XSETREF(self->inlet, inlet);
    put(&self->error, empty_text);
    put(&self->status, zero);
    return 1;
}

static int exchange_init(PyObject *self, PyObject *arguments, PyObject *named) {
    if (PyTuple_GET_SIZE(arguments) == 4 && named == NULL) {
        PyObject **given = &PyTuple_GET_ITEM(arguments, 0);
        int begun = begin((Exchange *)self, given[0], given[1], given[2], given[3]);
        if (begun)
            return begun < 0 ? -1 : 0;
    }
    PyObject *all = PyTuple_New(PyTuple_GET_SIZE(arguments) + 1);
    if (all == NULL)
        return -1;
    PyTuple_SET_ITEM(all, 0, Py_NewRef(self));
    for (Py_ssize_t at = 0; at < PyTuple_GET_SIZE(arguments); at++)
        PyTuple_SET_ITEM(all, at + 1, Py_NewRef(PyTuple_GET_ITEM(arguments, at)));
    PyObject *answer = PyObject_Call(plain_init, all, named);
    Py_DECREF(all);
    Py_XDECREF(answer);
    return answer ? 0 : -1;
}

/* What the layer does to tell observers. Each returns -1 for what is raised and no Exception. */

static int carries(Exchange *self, PyObject *name) {
    if (name == Py_None)
        return 1;
    PyObject *carried = self->current.carried;
    return carried != NULL && carried != Py_None ? PySequence_Contains(carried, name) : 0;
}

/* Of a request that has not failed. */
static int is_above(Exchange *self, double seconds, PyObject *bars) {
    if (bars == Py_None)
        return 1;
    PyObject *bar = PyDict_CheckExact(bars) ? PyDict_GetItemWithError(bars, self->current.route) : NULL;
    if (bar == NULL || !IS_A(bar, Bar))
        return PyErr_Occurred() ? -1 : 1;
    return seconds > ((Bar *)bar)->seconds || self->current.started + seconds >= ((Bar *)bar)->until;
}

static int has_header(Exchange *self, PyObject *names) {
    if (!PyTuple_CheckExact(names) || !PyTuple_GET_SIZE(names))
        return 1;
    PyObject *headers = PyDict_GetItemWithError(self->current.scope, text_headers);
    PyObject *value = headers ? find_value(headers, names) : NULL;
    Py_XDECREF(value);
    return value ? 1 : PyErr_Occurred() ? -1 : 0;
}

static int told(PyObject *layer, int wants, PyObject *answer) {
    if (wants >= 0 && (!wants || answer))
        return 0;
    return report(layer);
}

static int tell_of_arrival(Exchange *self) {
    PyObject *layer = self->layer, *all = ((Layer *)layer)->tell_of_arrival;
    int failed = 0;
    Py_INCREF(all); /* an observer may have others appointed */
    for (Py_ssize_t at = 0; !failed && at < PyTuple_GET_SIZE(all); at++) {
        PyObject *one = PyTuple_GET_ITEM(all, at), *answer = NULL;
        int wants = has_header(self, PyTuple_GET_ITEM(one, 1));
        if (wants > 0)
            answer = PyObject_CallOneArg(PyTuple_GET_ITEM(one, 0), (PyObject *)self);
        failed = told(layer, wants, answer);
        Py_XDECREF(answer);
    }
    Py_DECREF(all);
    return failed;
}

static int tell_of_record(Exchange *self, double seconds) {
    PyObject *layer = self->layer, *all = ((Layer *)layer)->tell_of_record, *time = NULL;
    int failed = 0;
    Py_INCREF(all);
    for (Py_ssize_t at = 0; !failed && at < PyTuple_GET_SIZE(all); at++) {
        PyObject *one = PyTuple_GET_ITEM(all, at), *answer = NULL;
        int wants = carries(self, PyTuple_GET_ITEM(one, 1));
        if (wants > 0)
            wants = is_above(self, seconds, PyTuple_GET_ITEM(one, 2));
        if (wants > 0 && (time != NULL || (time = PyFloat_FromDouble(seconds)) != NULL)) {
            PyObject *told[4] = {(PyObject *)self, self->status, time, Py_None};
            answer = PyObject_Vectorcall(PyTuple_GET_ITEM(one, 0), told, 4, NULL);
        }
        failed = told(layer, wants, answer);
        Py_XDECREF(answer);
    }
    Py_DECREF(all);
    Py_XDECREF(time);
    return failed;
}

static int tell_of_return(Exchange *self) {
    PyObject *layer = self->layer, *all = ((Layer *)layer)->tell_of_return;
    int failed = 0;
    Py_INCREF(all);
    for (Py_ssize_t at = 0; !failed && at < PyTuple_GET_SIZE(all); at++) {
        PyObject *one = PyTuple_GET_ITEM(all, at), *answer = NULL;
        int wants = carries(self, PyTuple_GET_ITEM(one, 1));
        if (wants > 0)
            answer = PyObject_CallOneArg(PyTuple_GET_ITEM(one, 0), (PyObject *)self);
        failed = told(layer, wants, answer);
        Py_XDECREF(answer);
    }
    Py_DECREF(all);
    return failed;
}

/* exchange.Exchange._record("") */

static int record_plainly(Exchange *self) {
    Layer *layer = (Layer *)self->layer;
    Inlet *inlet = (Inlet *)self->inlet;
    if (!IS_A(self->layer, Layer) || layer->exclusions != Py_None || self->disconnected ||
        !IS_A(self->inlet, Inlet) || inlet->outcomes == NULL ||
        !PyDict_CheckExact(inlet->outcomes) || !PyDict_CheckExact(self->current.scope) ||
        !add_to(inlet->active, -1.0))
        return 0;
    self->recorded = 1;
    PyObject *route = find_route(self);
    if (route == NULL)
        return -1;
    put(&self->current.route, route);
    double seconds = self->ended - self->current.started;
    PyObject *key = PyTuple_Pack(3, route, self->status, empty_text);
    PyObject *outcome = key ? PyDict_GetItemWithError(inlet->outcomes, key) : NULL;
    Py_XINCREF(outcome);
    if (outcome == NULL && !PyErr_Occurred())
        outcome = PyObject_CallMethodObjArgs(self->inlet, text_add_outcome, route, self->status, empty_text, NULL);
    Py_XDECREF(key);
    int failed = outcome == NULL;
    if (!failed && IS_A(outcome, RequestSeries))
        failed = record_request((RequestSeries *)outcome, seconds, self->received, inlet->sends_body ? self->sent : 0) < 0;
    else if (!failed) {
        PyObject *answer = PyObject_CallMethod(outcome, "record", "dLL", seconds, self->received,
                                               inlet->sends_body ? self->sent : (long long)0);
        failed = answer == NULL;
        Py_XDECREF(answer);
    }
    Py_XDECREF(outcome);
    if (!failed && self->parts) {
        PyObject *series = PyObject_CallMethodOneArg(self->inlet, text_first_byte, route);
        failed = series == NULL || record_one(series, self->first_byte - self->current.started, NULL) < 0;
        Py_XDECREF(series);
    }
    if (!failed)
        self->current.counted = 1;
    if (!failed && layer->tell_of_record != NULL && PyObject_IsTrue(layer->tell_of_record)) {
        put(&self->error, empty_text);
        failed = tell_of_record(self, seconds) < 0;
    }
    Py_DECREF(route);
    return failed ? -1 : 1;
}

/* exchange.Exchange._start, for a start that needs nothing but our headers at the end. NULL without an exception: not plain. */

static int is_ours(PyObject *name) {
    Py_ssize_t length = PyBytes_GET_SIZE(name);
    if (length != 12 && length != 14 && length != 15)
        return 0;
    char lower[15];
    for (Py_ssize_t at = 0; at < length; at++)
        lower[at] = (char)Py_TOLOWER(PyBytes_AS_STRING(name)[at]);
    return (length == 12 && memcmp(lower, "x-request-id", 12) == 0) ||
           (length == 14 && memcmp(lower, "x-process-time", 14) == 0) ||
           (length == 15 && memcmp(lower, "x-response-time", 15) == 0);
}

static PyObject *with_our_headers(PyObject *headers, PyObject *id, PyObject *added) {
    Py_ssize_t given = PyList_GET_SIZE(headers), more = PyTuple_GET_SIZE(added), at = 0;
    PyObject *all = PyList_New(given + (id != NULL) + more);
    if (all == NULL)
        return NULL;
    for (; at < given; at++)
        PyList_SET_ITEM(all, at, Py_NewRef(PyList_GET_ITEM(headers, at)));
    if (id != NULL) {
        PyObject *header = PyTuple_Pack(2, x_request_id, id);
        if (header == NULL) {
            Py_DECREF(all);
            return NULL;
        }
        PyList_SET_ITEM(all, at++, header);
    }
    for (Py_ssize_t one = 0; one < more; one++)
        PyList_SET_ITEM(all, at++, Py_NewRef(PyTuple_GET_ITEM(added, one)));
    return all;
}

static PyObject *remembered_headers(Layer *layer, double seconds) {
    long microseconds = (long)(seconds * 1e6);
    if (layer->timing == NULL || microseconds < 0 || microseconds >= REMEMBERED)
        return NULL;
    PyObject *remembered = PyObject_GetAttr(layer->timing, text_remembered), *found = NULL;
    if (remembered != NULL && PyList_CheckExact(remembered) && microseconds < PyList_GET_SIZE(remembered)) {
        found = PyList_GET_ITEM(remembered, microseconds);
        found = PyTuple_CheckExact(found) ? Py_NewRef(found) : NULL;
    }
    Py_XDECREF(remembered);
    PyErr_Clear();
    return found;
}

static PyObject *start_plainly(Exchange *self, PyObject *message) {
    Layer *layer = (Layer *)self->layer;
    PyObject *status = PyDict_GetItemWithError(message, text_status);
    PyObject *headers = PyDict_GetItemWithError(message, text_headers);
    if (!IS_A(self->layer, Layer) || status == NULL || !PyLong_CheckExact(status) ||
        headers == NULL || !PyList_CheckExact(headers) || layer->more_headers != Py_None ||
        self->current.shares != Py_None || PyDict_GetItemWithError(message, text_trailers) != NULL)
        return NULL;
    for (Py_ssize_t at = 0; at < PyList_GET_SIZE(headers); at++) {
        PyObject *name = name_of(PyList_GET_ITEM(headers, at));
        if (name == NULL || is_ours(name))
            return NULL;
    }
    double first_byte;
    if (now(&first_byte) < 0)
        return NULL;
    PyObject *changed = NULL;
    if (layer->adds_headers) {
        PyObject *added = remembered_headers(layer, first_byte - self->current.started);
        if (added == NULL)
            return NULL;
        PyObject *all = with_our_headers(headers, layer->sends_id ? self->current.id : NULL, added);
        Py_DECREF(added);
        changed = all ? PyDict_Copy(message) : NULL;
        if (changed != NULL && PyDict_SetItem(changed, text_headers, all) < 0)
            Py_CLEAR(changed);
        Py_XDECREF(all);
        if (changed == NULL)
            return NULL;
    }
    self->first_byte = first_byte;
    put(&self->status, status);
    put(&self->headers, headers);
    return changed ? changed : Py_NewRef(message);
}

/* A message on its way: the coroutines exchange.Exchange._send_start and ._send_body. */

typedef struct {
    PyObject_HEAD
    PyObject *exchange, *message, *way;
    char begun, done, is_body, more;
} Sending;

COLLECTED(sending_fields, Sending, 0, 0, exchange, way)

static PyObject *sending_of(PyObject *exchange, PyObject *message, int is_body, int more) {
    Sending *self = PyObject_GC_New(Sending, &SendingType);
    if (self == NULL)
        return NULL;
    self->exchange = Py_NewRef(exchange);
    self->message = Py_NewRef(message);
    self->way = NULL;
    self->begun = self->done = 0;
    self->is_body = (char)is_body;
    self->more = (char)more;
    PyObject_GC_Track((PyObject *)self);
    return (PyObject *)self;
}

static void sending_finalize(PyObject *object) {
    Sending *self = (Sending *)object;
    if (self->begun || self->done)
        return;
    PyObject *kind, *error, *trace;
    PyErr_Fetch(&kind, &error, &trace);
    if (PyErr_WarnEx(PyExc_RuntimeWarning, "coroutine 'Exchange.send' was never awaited", 1) < 0)
        PyErr_WriteUnraisable(object);
    PyErr_Restore(kind, error, trace);
}

static void sending_dealloc(PyObject *self) {
    if (PyObject_CallFinalizerFromDealloc(self) == 0)
        sending_fields_dealloc(self);
}

/* What `await` makes of what the server's send returned. */
static PyObject *way_of(PyObject *awaitable) {
    if (PyCoro_CheckExact(awaitable))
        return Py_NewRef(awaitable);
    PyAsyncMethods *methods = Py_TYPE(awaitable)->tp_as_async;
    if (methods == NULL || methods->am_await == NULL) {
        PyErr_Format(PyExc_TypeError, "object %.100s can't be used in 'await' expression", Py_TYPE(awaitable)->tp_name);
        return NULL;
    }
    PyObject *way = methods->am_await(awaitable);
    if (way != NULL && !PyIter_Check(way)) {
        PyErr_Format(PyExc_TypeError, "__await__() returned non-iterator of type '%.100s'", Py_TYPE(way)->tp_name);
        Py_CLEAR(way);
    }
    return way;
}

/* The message has been sent. Returns -1 for what must be raised. */
static int sent(Sending *self) {
    Exchange *exchange = (Exchange *)self->exchange;
    if (!self->is_body)
        return 0;
    PyObject *body = PyDict_GetItemWithError(self->message, text_body);
    Py_ssize_t size = 0;
    int full = body ? PyObject_IsTrue(body) : PyErr_Occurred() ? -1 : 0;
    if (full > 0)
        size = PyObject_Size(body);
    if (full < 0 || size < 0)
        return report(exchange->layer);
    exchange->sent += size;
    if (self->more) {
        exchange->parts += 1;
        return 0;
    }
    if (!exchange->last || exchange->ended != 0.0)
        return 0;
    double ended;
    if (now(&ended) < 0)
        return report(exchange->layer);
    exchange->ended = ended;
    long status = PyLong_CheckExact(exchange->status) ? PyLong_AsLong(exchange->status) : 500;
    if (status >= 500 || status == -1 || exchange->recorded) {
        PyErr_Clear();
        return 0;
    }
    int recorded = record_plainly(exchange);
    if (recorded == 0) {
        PyObject *error = PyUnicode_FromString(exchange->disconnected ? "client_disconnect" : "");
        PyObject *answer = error ? PyObject_CallMethodOneArg(self->exchange, text__record, error) : NULL;
        Py_XDECREF(error);
        Py_XDECREF(answer);
        recorded = answer ? 1 : -1;
    }
    return recorded < 0 ? report(exchange->layer) : 0;
}

static void not_sent(Sending *self) {
    Exchange *exchange = (Exchange *)self->exchange;
    if (PyErr_ExceptionMatches(PyExc_OSError)) /* ASGI HTTP spec 2.4, "Disconnected Client - send exception" */
        exchange->disconnected = exchange->disconnected || exchange->ended == 0.0;
}

static PySendResult settle(Sending *self, PySendResult state, PyObject **result) {
    if (state == PYGEN_NEXT)
        return state;
    self->done = 1;
    Py_CLEAR(self->way);
    if (state == PYGEN_ERROR)
        not_sent(self);
    else if (sent(self) < 0) {
        Py_CLEAR(*result);
        state = PYGEN_ERROR;
    }
    return state;
}

static PySendResult sending_send(PyObject *object, PyObject *value, PyObject **result) {
    Sending *self = (Sending *)object;
    *result = NULL;
    if (self->done) {
        PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited coroutine");
        return PYGEN_ERROR;
    }
    if (!self->begun) {
        if (value != Py_None) {
            PyErr_SetString(PyExc_TypeError, "can't send non-None value to a just-started coroutine");
            return PYGEN_ERROR;
        }
        self->begun = 1;
        PyObject *awaitable = PyObject_CallOneArg(((Exchange *)self->exchange)->send, self->message);
        self->way = awaitable ? way_of(awaitable) : NULL;
        Py_XDECREF(awaitable);
        if (self->way == NULL)
            return settle(self, PYGEN_ERROR, result);
    }
    if (self->way == NULL) {
        PyErr_SetString(PyExc_ValueError, "coroutine already executing");
        return PYGEN_ERROR;
    }
    PyObject *way = Py_NewRef(self->way);
    PySendResult state = PyIter_Send(way, value, result);
    Py_DECREF(way);
    return settle(self, state, result);
}

/* As a generator shows it: a value that it yields, or StopIteration with the one that it returns. */
static PyObject *shown(PySendResult state, PyObject *result) {
    if (state != PYGEN_RETURN)
        return result;
    PyObject *stop = PyObject_CallOneArg(PyExc_StopIteration, result);
    Py_DECREF(result);
    if (stop != NULL)
        PyErr_SetObject(PyExc_StopIteration, stop);
    Py_XDECREF(stop);
    return NULL;
}

static PyObject *sending_send_method(PyObject *self, PyObject *value) {
    PyObject *result;
    PySendResult state = sending_send(self, value, &result);
    return shown(state, result);
}

static PyObject *sending_next(PyObject *self) { return sending_send_method(self, Py_None); }

/* StopIteration of an inner iterator that has ended, as the value that it returned. */
static PySendResult ended_with(PyObject **result) {
    if (!PyErr_ExceptionMatches(PyExc_StopIteration))
        return PYGEN_ERROR;
    PyObject *kind, *error, *trace;
    PyErr_Fetch(&kind, &error, &trace);
    PyErr_NormalizeException(&kind, &error, &trace);
    *result = Py_NewRef(((PyStopIterationObject *)error)->value);
    Py_XDECREF(kind);
    Py_XDECREF(error);
    Py_XDECREF(trace);
    return PYGEN_RETURN;
}

static void raise_given(PyObject *const *given, Py_ssize_t count) {
    PyObject *kind = given[0], *value = count > 1 ? given[1] : Py_None;
    if (PyExceptionInstance_Check(kind))
        PyErr_SetObject((PyObject *)Py_TYPE(kind), kind);
    else if (PyExceptionClass_Check(kind))
        PyErr_SetObject(kind, value == Py_None ? NULL : value);
    else
        PyErr_SetString(PyExc_TypeError, "exceptions must be classes or instances deriving from BaseException");
}

static PyObject *sending_throw(PyObject *object, PyObject *const *given, Py_ssize_t count) {
    Sending *self = (Sending *)object;
    if (count < 1 || count > 3) {
        PyErr_SetString(PyExc_TypeError, "throw() takes 1 to 3 arguments");
        return NULL;
    }
    if (!self->begun || self->done) {
        self->begun = self->done = 1;
        raise_given(given, count);
        return NULL;
    }
    PyObject *way = Py_NewRef(self->way), *result = NULL, *throw = NULL;
    PySendResult state = PYGEN_ERROR;
    throw = PyObject_GetAttr(way, text_throw);
    if (throw == NULL && PyErr_ExceptionMatches(PyExc_AttributeError)) {
        PyErr_Clear();
        raise_given(given, count);
    } else if (throw != NULL) {
        result = PyObject_Vectorcall(throw, given, (size_t)count, NULL);
        state = result ? PYGEN_NEXT : ended_with(&result);
    }
    Py_XDECREF(throw);
    Py_DECREF(way);
    state = settle(self, state, &result);
    return shown(state, result);
}

static PyObject *sending_close(PyObject *object, PyObject *Py_UNUSED(nothing)) {
    Sending *self = (Sending *)object;
    PyObject *way = self->way;
    self->begun = self->done = 1;
    self->way = NULL;
    if (way == NULL)
        Py_RETURN_NONE;
    PyObject *answer = PyObject_CallMethodNoArgs(way, text_close);
    if (answer == NULL && PyErr_ExceptionMatches(PyExc_AttributeError)) {
        PyErr_Clear();
        answer = Py_NewRef(Py_None);
    }
    Py_DECREF(way);
    return answer;
}

/* exchange.Exchange.send */

static int is_text(PyObject *text, PyObject *known) {
    if (text == known)
        return 1;
    return text != NULL && PyUnicode_CheckExact(text) && PyUnicode_Compare(text, known) == 0;
}

static PyObject *exchange_send(PyObject *object, PyObject *message) {
    Exchange *self = (Exchange *)object;
    if (PyDict_CheckExact(message) && self->layer != NULL) {
        PyObject *kind = PyDict_GetItemWithError(message, text_type);
        if (is_text(kind, kind_body)) {
            PyObject *more = PyDict_GetItemWithError(message, text_more_body);
            int is_more = more ? PyObject_IsTrue(more) : 0;
            if (is_more >= 0) {
                if (!is_more)
                    self->last = !self->trailers;
                return sending_of(object, message, 1, is_more);
            }
        } else if (is_text(kind, kind_start)) {
            PyObject *changed = NULL;
            if (self->status != NULL && PyObject_IsTrue(self->status) == 1)
                changed = Py_NewRef(message);
            else
                changed = start_plainly(self, message);
            if (changed != NULL) {
                PyObject *sending = sending_of(object, changed, 0, 0);
                Py_DECREF(changed);
                return sending;
            }
        }
        PyErr_Clear();
    }
    return PyObject_CallFunctionObjArgs(plain_send, object, message, NULL);
}

/* exchange.Exchange.close */

/* Whether the response was complete, and no more than a moment ago. */
static int has_ended(Exchange *self) {
    double time;
    if (!self->recorded || self->ended == 0.0)
        return 0;
    if (now(&time) < 0) {
        PyErr_Clear();
        return 0;
    }
    return time - self->ended <= BACKGROUND_FROM;
}

static PyObject *exchange_close(PyObject *self, PyObject *error) {
    if (error != Py_None || !has_ended((Exchange *)self))
        return PyObject_CallFunctionObjArgs(plain_close, self, error, NULL);
    ((Exchange *)self)->current.over = 1;
    Py_RETURN_NONE;
}

/* layer.Layer._enter, for a request where nothing is current, while nothing of ours has failed */

static int is_for_us(Layer *self, PyObject *scope) {
    if (self->endpoints == Py_None)
        return 0;
    PyObject *path = PyDict_GetItemWithError(scope, text_path), *root = PyDict_GetItemWithError(scope, text_root_path);
    if (self->endpoints == NULL || path == NULL || !PyUnicode_CheckExact(path) ||
        (root != NULL && !(PyUnicode_CheckExact(root) && PyUnicode_GET_LENGTH(root) == 0)))
        return 1;
    PyObject *answer = PyObject_CallMethodOneArg(self->endpoints, text_serves, path);
    int serves = answer ? PyObject_IsTrue(answer) : -1;
    Py_XDECREF(answer);
    return serves;
}

/* Returns 1 where it is done, 0 where it is not plain, -1 where something was raised; nothing has been done in these two. */
static int enter_plainly(PyObject *object, PyObject *const *given, Exchange **entered) {
    Layer *self = (Layer *)object;
    PyObject *scope = given[0], *outer = NULL;
    if (exchange_class == NULL || self->failures || !PyDict_CheckExact(scope) ||
        !is_text(PyDict_GetItemWithError(scope, text_type), kind_http))
        return 0;
    if (PyContextVar_Get(current, NULL, &outer) < 0)
        return -1;
    int is_alone = outer == NULL || outer == Py_None;
    Py_XDECREF(outer);
    int no = is_alone ? is_for_us(self, scope) : 1;
    if (no)
        return no < 0 ? -1 : 0;
    Exchange *exchange = (Exchange *)((PyTypeObject *)exchange_class)->tp_alloc((PyTypeObject *)exchange_class, 0);
    int begun = exchange ? begin(exchange, object, scope, given[1], given[2]) : -1;
    PyObject *token = begun > 0 ? PyContextVar_Set(current, (PyObject *)exchange) : NULL;
    if (begun > 0 && token == NULL) {
        add_to(((Inlet *)exchange->inlet)->active, -1.0);
        begun = -1;
    }
    if (begun <= 0) {
        Py_XDECREF(exchange);
        return begun;
    }
    Py_XSETREF(exchange->current.token, token);
    exchange->current.is_alone = 1;
    *entered = exchange;
    return 1;
}

static PyObject *layer_enter(PyObject *self, PyObject *const *given, Py_ssize_t count) {
    Exchange *exchange = NULL;
    if (count == 3 && enter_plainly(self, given, &exchange) > 0) {
        if (tell_of_arrival(exchange) < 0)
            Py_CLEAR(exchange);
        return (PyObject *)exchange;
    }
    PyErr_Clear();
    return call_plain(plain_enter, self, given, count);
}

/* layer.Layer._leave, where the response was complete, and the app had nothing to do after it */

static int leave_plainly(Exchange *self) {
    self->current.over = 1;
    int failed = tell_of_return(self);
    PyObject *token = self->current.token, *kind, *error, *trace;
    self->current.token = Py_NewRef(Py_None);
    PyErr_Fetch(&kind, &error, &trace);
    if (PyContextVar_Reset(current, token) < 0)
        PyErr_Clear(); /* closed as a generator, in another context than the one it ran in */
    PyErr_Restore(kind, error, trace);
    Py_DECREF(token);
    return failed;
}

static PyObject *layer_leave(PyObject *self, PyObject *const *given, Py_ssize_t count) {
    if (count == 2 && given[1] == Py_None && IS_A(given[0], Exchange)) {
        Exchange *exchange = (Exchange *)given[0];
        if (exchange->current.is_alone && exchange->layer == self && exchange->current.token != Py_None &&
            has_ended(exchange))
            return leave_plainly(exchange) < 0 ? NULL : Py_NewRef(Py_None);
    }
    return call_plain(plain_leave, self, given, count);
}

/* Types. */

static PyMethodDef scalar_methods[] = {{"add", scalar_add, METH_O, NULL}, {NULL, NULL, 0, NULL}};
static PyMethodDef histogram_methods[] = {{"record", histogram_record, METH_O, NULL}, {NULL, NULL, 0, NULL}};
static PyMethodDef request_methods[] = {{"record", (PyCFunction)(void (*)(void))request_record, METH_FASTCALL, NULL},
                                        {NULL, NULL, 0, NULL}};
static PyMethodDef exchange_methods[] = {
    {"send", exchange_send, METH_O, NULL}, {"close", exchange_close, METH_O, NULL}, {NULL, NULL, 0, NULL}};
static PyMethodDef layer_methods[] = {{"_enter", (PyCFunction)(void (*)(void))layer_enter, METH_FASTCALL, NULL},
                                      {"_leave", (PyCFunction)(void (*)(void))layer_leave, METH_FASTCALL, NULL},
                                      {NULL, NULL, 0, NULL}};
static PyMethodDef sending_methods[] = {
    {"send", sending_send_method, METH_O, NULL},
    {"throw", (PyCFunction)(void (*)(void))sending_throw, METH_FASTCALL, NULL},
    {"close", sending_close, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL}};

#define BASE(Name, Struct, lower, methods_or_null)                                                                      \
    static PyTypeObject Name##Type = {                                                                                  \
        PyVarObject_HEAD_INIT(NULL, 0).tp_name = "stethoscope._hot." #Name,                                             \
        .tp_basicsize = sizeof(Struct),                                                                                 \
        .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,                                      \
        .tp_new = PyType_GenericNew,                                                                                    \
        .tp_members = lower##_members,                                                                                  \
        .tp_methods = methods_or_null,                                                                                  \
        .tp_traverse = lower##_traverse,                                                                                \
        .tp_clear = lower##_clear,                                                                                      \
        .tp_dealloc = lower##_dealloc,                                                                                  \
    };

BASE(Scalar, Scalar, scalar, scalar_methods)
BASE(HistogramSeries, HistogramSeries, histogram, histogram_methods)
BASE(RequestSeries, RequestSeries, request, request_methods)
BASE(Inlet, Inlet, inlet, NULL)
BASE(Layer, Layer, layer, layer_methods)
BASE(Current, Current, current, NULL)
BASE(Exchange, Exchange, exchange, exchange_methods)

static PyTypeObject BarType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "stethoscope._hot.Bar",
    .tp_basicsize = sizeof(Bar),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_new = PyType_GenericNew,
    .tp_members = bar_members,
};

static PyAsyncMethods sending_async = {.am_await = PyObject_SelfIter, .am_send = sending_send};

static PyTypeObject SendingType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "stethoscope._hot.Sending",
    .tp_basicsize = sizeof(Sending),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_methods = sending_methods,
    .tp_as_async = &sending_async,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = sending_next,
    .tp_finalize = sending_finalize,
    .tp_traverse = sending_fields_traverse,
    .tp_clear = sending_fields_clear,
    .tp_dealloc = sending_dealloc,
};

/* Putting it in place. */

static struct {
    PyTypeObject *base;
    const char *method;
    PyObject **plain;
} quick[] = {
    {&ScalarType, "add", &plain_add},
    {&HistogramSeriesType, "record", &plain_record},
    {&RequestSeriesType, "record", &plain_record_request},
    {&ExchangeType, "__init__", &plain_init},
    {&ExchangeType, "send", &plain_send},
    {&ExchangeType, "close", &plain_close},
    {&LayerType, "_enter", &plain_enter},
    {&LayerType, "_leave", &plain_leave},
};

/* quicken(class): its methods that are compiled here take the place of those in Python. */
static PyObject *quicken(PyObject *Py_UNUSED(module), PyObject *class) {
    if (!PyType_Check(class)) {
        PyErr_Format(PyExc_TypeError, "quicken() takes a class, got %R", class);
        return NULL;
    }
    for (size_t at = 0; at < sizeof(quick) / sizeof(quick[0]); at++) {
        if (!PyType_IsSubtype((PyTypeObject *)class, quick[at].base))
            continue;
        PyObject *own = PyObject_GetAttrString(class, quick[at].method);
        PyObject *compiled = PyObject_GetAttrString((PyObject *)quick[at].base, quick[at].method);
        int failed = !own || !compiled || PyObject_SetAttrString(class, quick[at].method, compiled) < 0;
        Py_XDECREF(compiled);
        if (failed) {
            Py_XDECREF(own);
            return NULL;
        }
        Py_XSETREF(*quick[at].plain, own);
    }
    if (PyType_IsSubtype((PyTypeObject *)class, &ExchangeType))
        put(&exchange_class, class);
    return Py_NewRef(class);
}

/* observe(globals, fresh, current): the module `exchange`, the list from which `correlation` takes new IDs, and `CURRENT`. */
static PyObject *observe(PyObject *Py_UNUSED(module), PyObject *arguments) {
    PyObject *globals, *fresh, *variable;
    if (!PyArg_ParseTuple(arguments, "O!O!O!", &PyDict_Type, &globals, &PyList_Type, &fresh, &PyContextVar_Type,
                          &variable))
        return NULL;
    PyObject *found[4] = {PyDict_GetItemString(globals, "clock"), PyDict_GetItemString(globals, "correlation_id"),
                          PyDict_GetItemString(globals, "name_route"),
                          PyDict_GetItemString(globals, "UNMATCHED_ROUTE")};
    for (int at = 0; at < 4; at++)
        if (found[at] == NULL) {
            PyErr_SetString(PyExc_KeyError, "clock, correlation_id, name_route or UNMATCHED_ROUTE is missing");
            return NULL;
        }
    put(&exchange_globals, globals);
    put(&fresh_ids, fresh);
    put(&current, variable);
    put(&own_clock, found[0]);
    put(&own_correlation_id, found[1]);
    put(&own_name_route, found[2]);
    put(&unmatched, found[3]);
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {{"quicken", quicken, METH_O, NULL},
                                  {"value_of", (PyCFunction)(void (*)(void))value_of, METH_FASTCALL, NULL},
                                  {"observe", observe, METH_VARARGS, NULL},
                                  {NULL, NULL, 0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "stethoscope._hot", .m_size = -1, .m_methods = functions};

static int add_type(PyObject *module, PyTypeObject *type) {
    return PyType_Ready(type) < 0 || PyModule_AddType(module, type) < 0 ? -1 : 0;
}

PyMODINIT_FUNC PyInit__hot(void) {
#define INTERN(name)                                                                                                    \
    if ((text_##name = PyUnicode_InternFromString(#name)) == NULL)                                                      \
        return NULL;
    TEXTS(INTERN)
    kind_http = PyUnicode_InternFromString("http");
    kind_start = PyUnicode_InternFromString("http.response.start");
    kind_body = PyUnicode_InternFromString("http.response.body");
    x_request_id = PyBytes_FromString("x-request-id");
    empty_text = PyUnicode_InternFromString("");
    zero = PyLong_FromLong(0);
    empty_tuple = PyTuple_New(0);
    if (!kind_http || !kind_start || !kind_body || !x_request_id || !empty_text || !zero || !empty_tuple)
        return NULL;
    ExchangeType.tp_base = &CurrentType;
    ExchangeType.tp_init = exchange_init;
    PyObject *module = PyModule_Create(&definition);
    if (module == NULL || add_type(module, &ScalarType) < 0 || add_type(module, &HistogramSeriesType) < 0 ||
        add_type(module, &RequestSeriesType) < 0 || add_type(module, &InletType) < 0 ||
        add_type(module, &BarType) < 0 || add_type(module, &LayerType) < 0 ||
        add_type(module, &CurrentType) < 0 ||
        add_type(module, &ExchangeType) < 0 || add_type(module, &SendingType) < 0 ||
        PyModule_AddStringConstant(module, "SOURCE", SOURCE) < 0) {
        Py_XDECREF(module);
        return NULL;
    }
    return module;
}
