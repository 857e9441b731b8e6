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
#define TOLD_EVERY 0.01       /* worker._TOLD_EVERY */
#define QUIET 0.4             /* loops.QUIET */

/* Texts that are looked up again and again. */

#define TEXTS(T)                                                                                                        \
    T(type) T(headers) T(method) T(scheme) T(status) T(trailers) T(body) T(more_body) T(router) T(route) T(root_path)   \
    T(app_root_path) T(fastapi) T(effective_route_context) T(original_route) T(path_format) T(failed) T(add_outcome)    \
    T(record) T(render) T(first_byte) T(clock) T(correlation_id) T(name_route) T(name_noted) T(path_template)           \
    T(shared) T(serves) T(path) T(get) T(caught)

#define DECLARE(name) static PyObject *text_##name;
TEXTS(DECLARE)
static PyObject *kind_http, *kind_start, *kind_body, *x_request_id, *empty_text, *unmatched, *zero, *empty_tuple;

/* The Python functions, for the cases that are not plain: by `quicken` and `fall_back_on`. */

static PyObject *plain_add, *plain_record, *plain_record_request, *plain_before, *plain_after, *plain_enter, *plain_leave,
    *plain_started, *plain_span_ended, *plain_left, *plain_value_of, *plain_arrived;

/* The class `exchange.Exchange`, by `quicken`, and the context variable `current.CURRENT`. */

static PyObject *exchange_class, *current;

/* The classes `pending.Pending` and that of contexts, by `trace`. */

static PyObject *pending_class, *context_class;

/* The function asyncio._get_running_loop, by `run_on`. */

static PyObject *running_loop;

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
    PyObject *method, *scheme, *active, *outcomes;
    char sends_body;
} Inlet;

typedef struct {
    PyObject_HEAD
    double seconds, until;
} Bar;

typedef struct {
    PyObject_HEAD
    PyObject *forms, *remembered;
} TimingHeaders;

typedef struct {
    PyObject_HEAD
    PyObject *inlets, *exclusions, *timing, *endpoints, *tell_of_arrival, *tell_of_record, *tell_of_return, *more_headers;
    PyObject *last; /* the inlet of the last request */
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
    unsigned long long names; /* of the request's headers, as `mark_of` has them */
    char disconnected, trailers, last, recorded, excluded;
} Exchange;

typedef struct {
    PyDictObject dict;
    PyObject *request_id, *root_id, *sampled, *scope, *spans, *token;
    double started;
} Pending;

typedef struct {
    PyObject_HEAD
    PyObject *var, *bound_of_fresh, *bound_of_sampled, *bound_of_unsampled;
    double budget;
} Spans;

typedef struct {
    PyObject_HEAD
    double period, told;
    char asked, busy;
} Watch;

typedef struct {
    PyObject_HEAD
    PyObject *loop, *watch;
} Worker;

static PyTypeObject ScalarType, HistogramSeriesType, RequestSeriesType, InletType, BarType, LayerType, CurrentType, ExchangeType,
    PendingType, SpansType, TimingHeadersType, WatchType, WorkerType;

#define OBJECT(Struct, name, field) {name, T_OBJECT_EX, offsetof(Struct, field), 0, NULL}
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

static PyMemberDef inlet_members[] = {OBJECT(Inlet, "_method", method), OBJECT(Inlet, "_scheme", scheme),
                                      OBJECT(Inlet, "active", active),  OBJECT(Inlet, "outcomes", outcomes),
                                      FLAG(Inlet, "sends_body", sends_body), END};

static PyMemberDef bar_members[] = {NUMBER(Bar, "seconds", seconds), NUMBER(Bar, "until", until), END};

static PyMemberDef timing_members[] = {
    OBJECT(TimingHeaders, "forms", forms), OBJECT(TimingHeaders, "remembered", remembered), END};

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

static PyMemberDef pending_members[] = {
    OBJECT(Pending, "request_id", request_id), OBJECT(Pending, "root_id", root_id), OBJECT(Pending, "sampled", sampled),
    OBJECT(Pending, "scope", scope),           OBJECT(Pending, "spans", spans),     OBJECT(Pending, "token", token),
    NUMBER(Pending, "started", started),       END};

static PyMemberDef spans_members[] = {OBJECT(Spans, "_var", var), OBJECT(Spans, "_bound_of_fresh", bound_of_fresh),
                                      OBJECT(Spans, "_bound_of_sampled", bound_of_sampled),
                                      OBJECT(Spans, "_bound_of_unsampled", bound_of_unsampled),
                                      NUMBER(Spans, "_budget", budget), END};

static PyMemberDef watch_members[] = {NUMBER(Watch, "period", period), NUMBER(Watch, "told", told),
                                      FLAG(Watch, "asked", asked), FLAG(Watch, "busy", busy), END};

static PyMemberDef worker_members[] = {OBJECT(Worker, "_loop", loop), OBJECT(Worker, "_watch", watch), END};

/* All object fields of a struct stand in a row, from the first to the last: that is how they are visited and cleared. */

#define FIRST(Struct, field) ((PyObject **)((char *)self + offsetof(Struct, field)))

#define COLLECTED(Name, Struct, base_traverse, base_clear, first, last)                                                 \
    VISITED(Name, Struct, base_traverse, base_clear, first, last)                                                       \
    static void Name##_dealloc(PyObject *self) {                                                                        \
        PyObject_GC_UnTrack(self);                                                                                      \
        Name##_clear(self);                                                                                             \
        Py_TYPE(self)->tp_free(self);                                                                                   \
    }

#define VISITED(Name, Struct, base_traverse, base_clear, first, last)                                                   \
    static int Name##_traverse(PyObject *self, visitproc visit, void *arg) {                                            \
        for (PyObject **field = FIRST(Struct, first); field <= FIRST(Struct, last); field++)                            \
            Py_VISIT(*field);                                                                                           \
        return base_traverse;                                                                                           \
    }                                                                                                                   \
    static int Name##_clear(PyObject *self) {                                                                           \
        for (PyObject **field = FIRST(Struct, first); field <= FIRST(Struct, last); field++)                            \
            Py_CLEAR(*field);                                                                                           \
        return base_clear;                                                                                              \
    }

COLLECTED(scalar, Scalar, 0, 0, bind, words)
COLLECTED(histogram, HistogramSeries, 0, 0, bind_block, places)
COLLECTED(request, RequestSeries, 0, 0, duration, sent)
COLLECTED(inlet, Inlet, 0, 0, method, outcomes)
COLLECTED(timing, TimingHeaders, 0, 0, forms, remembered)
COLLECTED(layer, Layer, 0, 0, inlets, last)
COLLECTED(current, Current, 0, 0, scope, trace)
COLLECTED(exchange, Exchange, current_traverse(self, visit, arg), current_clear(self), layer, status)
COLLECTED(spans, Spans, 0, 0, var, bound_of_unsampled)
COLLECTED(worker, Worker, 0, 0, loop, watch)
VISITED(pending, Pending, PyDict_Type.tp_traverse(self, visit, arg), PyDict_Type.tp_clear(self), request_id, token)

static void pending_dealloc(PyObject *self) {
    PyObject_GC_UnTrack(self);
    for (PyObject **field = FIRST(Pending, request_id); field <= FIRST(Pending, token); field++)
        Py_CLEAR(*field);
    PyDict_Type.tp_dealloc(self);
}

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
    *known_Exchange, *known_Watch, *known_TimingHeaders;

static inline void put(PyObject **field, PyObject *value) { Py_XSETREF(*field, Py_NewRef(value)); }

#define IS_TUPLE(object) ((object) != NULL && PyTuple_CheckExact(object))

/* Whether two texts of ASCII characters are equal. Of others it is not known. */
static inline int is_text(PyObject *text, PyObject *known) {
    if (text == known)
        return 1;
    if (text == NULL || !PyUnicode_CheckExact(text) || !PyUnicode_IS_COMPACT_ASCII(text) ||
        !PyUnicode_IS_COMPACT_ASCII(known) || PyUnicode_GET_LENGTH(text) != PyUnicode_GET_LENGTH(known))
        return 0;
    return memcmp(PyUnicode_DATA(text), PyUnicode_DATA(known), (size_t)PyUnicode_GET_LENGTH(text)) == 0;
}

/* What a key of a dict says, where it is a bool: 0 also where there is none. -1: it is not plain. */
static int flag_in(PyObject *dict, PyObject *key) {
    PyObject *value = PyDict_GetItemWithError(dict, key);
    if (value == NULL)
        return PyErr_Occurred() ? -1 : 0;
    return PyBool_Check(value) ? value == Py_True : -1;
}

/* Where a number is; NULL where there is none. Nothing may be allocated while it is used: that can run a collection,
   which runs anything, also what gives the memory back. */
static inline void *number_at(PyObject *view, Py_ssize_t index, Py_ssize_t size) {
    if (view == NULL || !PyMemoryView_Check(view) || index <= 0)
        return NULL;
    PyMemoryViewObject *memory = (PyMemoryViewObject *)view;
    if (memory->flags & _Py_MEMORYVIEW_RELEASED || memory->mbuf->flags & _Py_MANAGED_BUFFER_RELEASED)
        return NULL;
    return index < memory->view.len / size ? (char *)memory->view.buf + index * size : NULL;
}

/* Falling back. */

/* A Python method, with three arguments at most: of more it says itself that they are too many. */
static PyObject *call_plain(PyObject *function, PyObject *self, PyObject *const *given, Py_ssize_t count) {
    PyObject *arguments[5] = {self, NULL, NULL, NULL, NULL};
    count = count < 4 ? count : 4;
    memcpy(arguments + 1, given, sizeof(PyObject *) * (size_t)count);
    return PyObject_Vectorcall(function, arguments, (size_t)count + 1, NULL);
}

/* Whether the Python function is to do all over what was not done here. What was raised here is raised there once more,
   and there it is known what to do about it; but an interrupt, or whatever else is no Exception, comes only once. */
static int falls_back(void) {
    if (!PyErr_Occurred())
        return 1;
    if (!PyErr_ExceptionMatches(PyExc_Exception))
        return 0;
    PyErr_Clear();
    return 1;
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

static int record_request(PyObject *outcome, double seconds, long long received, long long sent) {
    if (!IS_A(outcome, RequestSeries)) {
        PyObject *answer = PyObject_CallMethod(outcome, "record", "dLL", seconds, received, sent);
        Py_XDECREF(answer);
        return answer ? 0 : -1;
    }
    RequestSeries *self = (RequestSeries *)outcome;
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
            if (record_request(self, PyFloat_AS_DOUBLE(values[0]), received, sent) < 0)
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
    if (clock != NULL && clock == own_clock) {
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

/* hot.value_of */

static PyObject *find_value(PyObject *headers, PyObject *names) {
    int is_plain = PyTuple_CheckExact(names) && (PyList_CheckExact(headers) || PyTuple_CheckExact(headers));
    for (Py_ssize_t at = 0; is_plain && at < PySequence_Fast_GET_SIZE(headers); at++) {
        PyObject *header = PySequence_Fast_GET_ITEM(headers, at), *name = name_of(header);
        is_plain = name != NULL;
        for (Py_ssize_t one = 0; is_plain && one < PyTuple_GET_SIZE(names); one++) {
            PyObject *wanted = PyTuple_GET_ITEM(names, one);
            is_plain = PyBytes_CheckExact(wanted);
            if (is_plain && PyBytes_GET_SIZE(wanted) == PyBytes_GET_SIZE(name) &&
                memcmp(PyBytes_AS_STRING(wanted), PyBytes_AS_STRING(name), (size_t)PyBytes_GET_SIZE(name)) == 0)
                return Py_NewRef(PyTuple_GET_ITEM(header, 1));
        }
    }
    return is_plain ? Py_NewRef(Py_None) : PyObject_CallFunctionObjArgs(plain_value_of, headers, names, NULL);
}

static PyObject *value_of(PyObject *Py_UNUSED(module), PyObject *const *given, Py_ssize_t count) {
    if (count == 2)
        return find_value(given[0], given[1]);
    return PyErr_Format(PyExc_TypeError, "value_of() takes headers and a tuple of names, got %zd arguments", count);
}

/* A bit by which a name of a header is told from most others: where it is not set in those of a request, the name is not there. */
static inline unsigned long long mark_of(PyObject *name) {
    Py_ssize_t size = PyBytes_GET_SIZE(name);
    unsigned char last = size ? (unsigned char)PyBytes_AS_STRING(name)[size - 1] : 0;
    return 1ull << (((unsigned long long)size * 8 ^ last) & 63);
}

#define IS(name, text) (memcmp(PyBytes_AS_STRING(name), text, sizeof(text) - 1) == 0)

/* What a request's headers say of who it is: of each name the first value, borrowed, and how many parents there are. */
typedef struct {
    PyObject *request_id, *correlation_id, *traceparent;
    unsigned long long names;
    int parents, more_of_trace;
} Told;

static void tell_of(PyObject *name, PyObject *value, Told *told) {
    switch (PyBytes_GET_SIZE(name)) {
    case sizeof("baggage") - 1: told->more_of_trace |= IS(name, "baggage"); break;
    case sizeof("tracestate") - 1: told->more_of_trace |= IS(name, "tracestate"); break;
    case sizeof("traceparent") - 1:
        if (IS(name, "traceparent")) {
            told->traceparent = value;
            told->parents++;
        }
        break;
    case sizeof("x-request-id") - 1:
        if (told->request_id == NULL && IS(name, "x-request-id"))
            told->request_id = value;
        break;
    case sizeof("x-correlation-id") - 1:
        if (told->correlation_id == NULL && IS(name, "x-correlation-id"))
            told->correlation_id = value;
        break;
    default: break;
    }
}

/* Returns 0 for headers that are not plain. */
static int read_headers(PyObject *headers, Told *told) {
    if (headers == NULL || !PyList_CheckExact(headers))
        return 0;
    for (Py_ssize_t at = 0; at < PyList_GET_SIZE(headers); at++) {
        PyObject *header = PyList_GET_ITEM(headers, at), *name = name_of(header);
        if (name == NULL)
            return 0;
        told->names |= mark_of(name);
        tell_of(name, PyTuple_GET_ITEM(header, 1), told);
    }
    return 1;
}

/* correlation._ACCEPTED */
static int is_accepted(PyObject *id) {
    if (!PyBytes_CheckExact(id) || PyBytes_GET_SIZE(id) < 1 || PyBytes_GET_SIZE(id) > 128)
        return 0;
    for (const char *at = PyBytes_AS_STRING(id); at < PyBytes_AS_STRING(id) + PyBytes_GET_SIZE(id); at++)
        if (!Py_ISALNUM(*at) && (*at == 0 || strchr("._~:/+=@-", *at) == NULL))
            return 0;
    return 1;
}

static int are_digits(const char *text, int count) {
    int other_than_zero = 0;
    for (int at = 0; at < count; at++) {
        if (!((text[at] >= '0' && text[at] <= '9') || (text[at] >= 'a' && text[at] <= 'f')))
            return 0;
        other_than_zero |= text[at] != '0';
    }
    return other_than_zero ? 2 : 1;
}

/* The only traceparent, where it is valid, of version 00, and nothing stands around it; else NULL. 00-32 digits-16 digits-2 digits */
static const char *plain_parent(const Told *told) {
    if (told->parents != 1 || !PyBytes_CheckExact(told->traceparent) || PyBytes_GET_SIZE(told->traceparent) != 55)
        return NULL;
    const char *text = PyBytes_AS_STRING(told->traceparent);
    int is_valid = memcmp(text, "00-", 3) == 0 && text[35] == '-' && text[52] == '-' && are_digits(text + 3, 32) == 2 &&
                   are_digits(text + 36, 16) == 2 && are_digits(text + 53, 2);
    return is_valid ? text : NULL;
}

/* Of the IDs that were made and not yet used; NULL where there is none. */
static PyObject *take_fresh_id(void) {
    Py_ssize_t last = PyList_GET_SIZE(fresh_ids) - 1;
    if (last < 0)
        return NULL;
    PyObject *id = PyList_GET_ITEM(fresh_ids, last); /* which the list gives up its reference to */
    Py_SET_SIZE(fresh_ids, last);
    return id;
}

static PyObject *plain_id(PyObject *headers, unsigned long long *names) {
    Told told = {0};
    if (!read_headers(headers, &told))
        return NULL;
    *names = told.names;
    PyObject *given = told.request_id ? told.request_id : told.correlation_id;
    if (given != NULL)
        return is_accepted(given) ? Py_NewRef(given) : NULL;
    if (told.parents == 0)
        return take_fresh_id();
    const char *parent = plain_parent(&told);
    return parent ? PyBytes_FromStringAndSize(parent + 3, 32) : NULL;
}

/* correlation.correlation_id. Says too which names headers may have. */
static PyObject *identify(PyObject *headers, unsigned long long *names) {
    PyObject *function = PyDict_GetItemWithError(exchange_globals, text_correlation_id);
    PyObject *id = function == own_correlation_id ? plain_id(headers, names) : NULL;
    return id || !function || !falls_back() ? id : PyObject_CallOneArg(function, headers);
}

/* routes.name_route, for an app that is mounted nowhere. NULL: it is not plain. */
static PyObject *plain_template(PyObject *scope) {
    PyObject *router = PyDict_GetItemWithError(scope, text_router);
    if (router == NULL && !PyErr_Occurred() && PyDict_GetItemWithError(scope, text_path_template) == NULL)
        return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
    PyObject *route = PyDict_GetItemWithError(scope, text_route);
    PyObject *root = PyDict_GetItemWithError(scope, text_root_path);
    if (router == NULL || router == Py_None || route == NULL || route == Py_None ||
        PyDict_GetItemWithError(scope, text_app_root_path) != NULL ||
        (root != NULL && root != Py_None && !(PyUnicode_CheckExact(root) && PyUnicode_GET_LENGTH(root) == 0)))
        return NULL;
    PyObject *included = PyDict_GetItemWithError(scope, text_fastapi), *context = NULL;
    if (included != NULL && included != Py_None) {
        if (!PyDict_CheckExact(included))
            return NULL;
        context = PyDict_GetItemWithError(included, text_effective_route_context);
    }
    Py_INCREF(route);
    if (context != NULL && context != Py_None) {
        Py_INCREF(context);
        PyObject *original = PyObject_GetAttr(context, text_original_route);
        if (original == route)
            put(&route, context);
        Py_XDECREF(original);
        Py_DECREF(context);
    }
    PyObject *template = PyErr_Occurred() ? NULL : PyObject_GetAttr(route, text_path_format);
    Py_DECREF(route);
    if (template != NULL && !(PyUnicode_CheckExact(template) && PyUnicode_GET_LENGTH(template)))
        Py_CLEAR(template);
    return template;
}

static PyObject *find_route(Exchange *self) {
    PyObject *route = self->current.route;
    int named = route ? PyObject_IsTrue(route) : 0;
    if (named)
        return named > 0 ? Py_NewRef(route) : NULL;
    PyObject *function = PyDict_GetItemWithError(exchange_globals, text_name_route), *found = NULL;
    if (function == own_name_route)
        found = plain_template(self->current.scope);
    if (found == NULL)
        found = falls_back() && function ? PyObject_CallOneArg(function, self->current.scope) : NULL;
    named = found ? PyObject_IsTrue(found) : -1;
    if (named == 0 && self->current.carried != Py_None) {
        function = PyDict_GetItemWithError(exchange_globals, text_name_noted);
        Py_SETREF(found, function ? PyObject_CallOneArg(function, (PyObject *)self) : NULL);
        named = found ? PyObject_IsTrue(found) : -1;
    }
    if (named == 0)
        put(&found, unmatched);
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

/* layer.inlets of a scope, or the last one of a request, where it is the same. NULL: it is not plain. */
static PyObject *find_inlet(Layer *layer, PyObject *scope) {
    PyObject *method = PyDict_GetItemWithError(scope, text_method), *scheme = PyDict_GetItemWithError(scope, text_scheme);
    if (method == NULL || !PyUnicode_CheckExact(method) || scheme == NULL || !PyUnicode_CheckExact(scheme))
        return NULL;
    Inlet *last = (Inlet *)layer->last;
    if (last != NULL && IS_A(layer->last, Inlet) && last->method != NULL && is_text(method, last->method) &&
        last->scheme != NULL && is_text(scheme, last->scheme))
        return Py_NewRef(last);
    PyObject *key = PyTuple_Pack(2, method, scheme);
    PyObject *inlet = key ? Py_XNewRef(PyDict_GetItemWithError(layer->inlets, key)) : NULL;
    Py_XDECREF(key);
    if (inlet != NULL && !IS_A(inlet, Inlet))
        Py_CLEAR(inlet);
    if (inlet != NULL)
        put(&layer->last, inlet);
    return inlet;
}

/* exchange.Exchange.__init__. NULL: it is not plain. */

static Exchange *begin(PyObject *layer, PyObject *scope, PyObject *receive, PyObject *send) {
    Exchange *self = (Exchange *)((PyTypeObject *)exchange_class)->tp_alloc((PyTypeObject *)exchange_class, 0);
    if (self == NULL || now(&self->current.started) < 0)
        goto not_plain;
    PyObject *headers = PyDict_GetItemWithError(scope, text_headers);
    self->names = ~0ull;
    self->current.id = headers ? identify(headers, &self->names) : NULL;
    if (self->current.id == NULL)
        goto not_plain;
    self->inlet = find_inlet((Layer *)layer, scope);
    if (self->inlet == NULL)
        goto not_plain;
    self->current.scope = Py_NewRef(scope);
    self->current.route = Py_NewRef(Py_None);
    self->current.shares = Py_NewRef(Py_None);
    self->current.carried = Py_NewRef(Py_None);
    self->current.token = Py_NewRef(Py_None);
    self->current.trace = Py_NewRef(Py_None);
    self->layer = Py_NewRef(layer);
    self->receive = Py_NewRef(receive);
    self->send = Py_NewRef(send);
    self->headers = Py_NewRef(empty_tuple);
    self->error = Py_NewRef(empty_text);
    self->status = Py_NewRef(zero);
    if (add_to(((Inlet *)self->inlet)->active, 1.0))
        return self;
not_plain:
    Py_XDECREF(self);
    return NULL;
}

/* What the layer does to tell observers: those that want to know, as its Python functions have it. */

typedef int Wants(Exchange *self, PyObject *observer, PyObject *seconds);

static int wants_arrival(Exchange *self, PyObject *observer, PyObject *Py_UNUSED(seconds)) {
    PyObject *names = PyTuple_GET_ITEM(observer, 1);
    if (PyTuple_GET_SIZE(names) == 0)
        return 1;
    unsigned long long marks = 0;
    for (Py_ssize_t at = 0; at < PyTuple_GET_SIZE(names); at++)
        marks |= PyBytes_CheckExact(PyTuple_GET_ITEM(names, at)) ? mark_of(PyTuple_GET_ITEM(names, at)) : ~0ull;
    if (!(marks & self->names))
        return 0;
    PyObject *headers = PyDict_GetItemWithError(self->current.scope, text_headers);
    PyObject *value = headers ? find_value(headers, names) : NULL;
    Py_XDECREF(value);
    return value ? value != Py_None : PyErr_Occurred() ? -1 : 0;
}

static int wants_return(Exchange *self, PyObject *observer, PyObject *Py_UNUSED(seconds)) {
    PyObject *name = PyTuple_GET_ITEM(observer, 1), *carried = self->current.carried;
    if (name == Py_None)
        return 1;
    return carried != NULL && carried != Py_None ? PySequence_Contains(carried, name) : 0;
}

/* Of a request that has not failed. */
static int wants_record(Exchange *self, PyObject *observer, PyObject *seconds) {
    PyObject *bars = PyTuple_GET_ITEM(observer, 2), *bar;
    int carries = wants_return(self, observer, NULL);
    if (carries <= 0 || bars == Py_None)
        return carries;
    if (PyDict_CheckExact(bars))
        bar = Py_XNewRef(PyDict_GetItemWithError(bars, self->current.route));
    else
        bar = PyObject_CallMethodOneArg(bars, text_get, self->current.route);
    if (bar == NULL)
        return PyErr_Occurred() ? -1 : 1;
    double taken = PyFloat_AS_DOUBLE(seconds);
    int is_above = !IS_A(bar, Bar) || taken > ((Bar *)bar)->seconds || self->current.started + taken >= ((Bar *)bar)->until;
    Py_DECREF(bar);
    return is_above;
}

/* Returns -1 for what was raised and is no Exception. */
static int tell(Exchange *self, PyObject *observers, Wants *wants, PyObject *const *told, size_t count) {
    int failed = 0;
    Py_INCREF(observers); /* one of them may have others appointed */
    for (Py_ssize_t at = 0; !failed && at < PyTuple_GET_SIZE(observers); at++) {
        PyObject *observer = PyTuple_GET_ITEM(observers, at);
        int wanted = wants(self, observer, count > 2 ? told[2] : NULL);
        PyObject *answer = wanted > 0 ? PyObject_Vectorcall(PyTuple_GET_ITEM(observer, 0), told, count, NULL) : NULL;
        if (wanted && answer == NULL)
            failed = report(self->layer);
        Py_XDECREF(answer);
    }
    Py_DECREF(observers);
    return failed;
}

static int tell_exchange(Exchange *self, PyObject *observers, Wants *wants) {
    PyObject *told[1] = {(PyObject *)self};
    return tell(self, observers, wants, told, 1);
}

static int tell_of_record(Exchange *self, double seconds) {
    PyObject *time = PyFloat_FromDouble(seconds), *status = Py_NewRef(self->status);
    PyObject *told[4] = {(PyObject *)self, status, time, Py_None};
    int failed = time ? tell(self, ((Layer *)self->layer)->tell_of_record, wants_record, told, 4) : -1;
    Py_DECREF(status);
    Py_XDECREF(time);
    return failed;
}

/* exchange.Exchange._end, of a response that went well. Each returns -1 where something was raised. */

/* Whether `record` can do it. Then there is one active request fewer. */
static int leaves_flight(Exchange *self) {
    Layer *layer = (Layer *)self->layer;
    Inlet *inlet = (Inlet *)self->inlet;
    return self->layer != NULL && IS_A(self->layer, Layer) && layer->exclusions == Py_None && IS_TUPLE(layer->tell_of_record) &&
           self->inlet != NULL && IS_A(self->inlet, Inlet) && inlet->outcomes != NULL && PyDict_CheckExact(inlet->outcomes) &&
           self->current.scope != NULL && PyDict_CheckExact(self->current.scope) && !self->disconnected &&
           add_to(inlet->active, -1.0);
}

/* _record("") */
static int record(Exchange *self) {
    Inlet *inlet = (Inlet *)self->inlet;
    self->recorded = 1;
    PyObject *route = find_route(self);
    if (route == NULL)
        return -1;
    put(&self->current.route, route);
    double seconds = self->ended - self->current.started;
    PyObject *key = PyTuple_Pack(3, route, self->status, empty_text);
    PyObject *outcome = key ? Py_XNewRef(PyDict_GetItemWithError(inlet->outcomes, key)) : NULL;
    if (outcome == NULL && !PyErr_Occurred())
        outcome = PyObject_CallMethodObjArgs(self->inlet, text_add_outcome, route, self->status, empty_text, NULL);
    Py_XDECREF(key);
    int failed = outcome ? record_request(outcome, seconds, self->received, inlet->sends_body ? self->sent : 0) : -1;
    Py_XDECREF(outcome);
    if (!failed && self->parts) {
        PyObject *series = PyObject_CallMethodOneArg(self->inlet, text_first_byte, route);
        failed = series ? record_one(series, self->first_byte - self->current.started, NULL) : -1;
        Py_XDECREF(series);
    }
    Py_DECREF(route);
    if (failed)
        return -1;
    self->current.counted = 1;
    return PyTuple_GET_SIZE(((Layer *)self->layer)->tell_of_record) ? tell_of_record(self, seconds) : 0;
}

/* Returns 1 where it is done, 0 where it is not plain: then nothing is. `size`: of the last piece of the body. */
static int end_plainly(Exchange *self, Py_ssize_t size) {
    double ended;
    long status = self->status != NULL && PyLong_CheckExact(self->status) ? PyLong_AsLong(self->status) : 0;
    if (status <= 0 || now(&ended) < 0 || ended == 0.0)
        return 0;
    int is_recorded_now = status < 500 && !self->recorded;
    if (is_recorded_now && !leaves_flight(self))
        return 0;
    self->sent += size;
    self->ended = ended;
    return is_recorded_now && record(self) < 0 && report(self->layer) < 0 ? -1 : 1;
}

/* exchange.Exchange._start, for a start that needs nothing but our headers at the end. NULL: it is not plain. */

static int is_ours(PyObject *name) {
    Py_ssize_t length = PyBytes_GET_SIZE(name);
    if ((length != 12 && length != 14 && length != 15) || Py_TOLOWER(PyBytes_AS_STRING(name)[0]) != 'x')
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

/* Rendered for this very microsecond where they are not remembered: in Python the clock would be read once more, and the
   headers of a later microsecond be remembered, so that those of an app that always takes as long might never be. */
static PyObject *remembered_headers(Layer *layer, Py_ssize_t microseconds) {
    PyObject *remembered = ((TimingHeaders *)layer->timing)->remembered, *found = NULL;
    if (remembered != NULL && PyList_CheckExact(remembered) && microseconds < PyList_GET_SIZE(remembered)) {
        found = Py_NewRef(PyList_GET_ITEM(remembered, microseconds));
        if (found == Py_None) {
            PyObject *whole = PyLong_FromSsize_t(microseconds);
            Py_SETREF(found, whole ? PyObject_CallMethodOneArg(layer->timing, text_render, whole) : NULL);
            Py_XDECREF(whole);
        }
        if (found != NULL && !PyTuple_CheckExact(found))
            Py_CLEAR(found);
    }
    return found;
}

/* Writes decimal digits that end before `end`, at least so many; returns the first. */
static char *put_digits(char *end, long long number, long least) {
    for (; number || least > 0; number /= 10, least--)
        *--end = (char)('0' + number % 10);
    return end;
}

/* timing._value, as a header: `form` is a timing.Form. */
static PyObject *rendered_header(PyObject *form, long long microseconds) {
    PyObject *name = PyTuple_GET_ITEM(form, 0), *before = PyTuple_GET_ITEM(form, 1), *unit = PyTuple_GET_ITEM(form, 3);
    long digits = PyLong_AsLong(PyTuple_GET_ITEM(form, 2));
    long long scale = digits == 3 ? 1000 : 1000000;
    char room[32], *end = room + sizeof room, *time = put_digits(end, microseconds % scale, digits);
    *--time = '.';
    time = put_digits(time, microseconds / scale, 1);
    Py_ssize_t parts[3] = {PyBytes_GET_SIZE(before), end - time, PyBytes_GET_SIZE(unit)};
    PyObject *value = PyBytes_FromStringAndSize(NULL, parts[0] + parts[1] + parts[2]);
    if (value == NULL)
        return NULL;
    char *bytes = PyBytes_AS_STRING(value);
    memcpy(bytes, PyBytes_AS_STRING(before), parts[0]);
    memcpy(bytes + parts[0], time, parts[1]);
    memcpy(bytes + parts[0] + parts[1], PyBytes_AS_STRING(unit), parts[2]);
    PyObject *header = PyTuple_Pack(2, name, value);
    Py_DECREF(value);
    return header;
}

/* timing.TimingHeaders._render, of a request that has no shares. */
static PyObject *rendered_headers(Layer *layer, long long microseconds) {
    PyObject *forms = ((TimingHeaders *)layer->timing)->forms;
    PyObject *headers = IS_TUPLE(forms) ? PyTuple_New(PyTuple_GET_SIZE(forms)) : NULL;
    for (Py_ssize_t at = 0; headers != NULL && at < PyTuple_GET_SIZE(forms); at++) {
        PyObject *header = rendered_header(PyTuple_GET_ITEM(forms, at), microseconds);
        if (header != NULL)
            PyTuple_SET_ITEM(headers, at, header);
        else
            Py_CLEAR(headers);
    }
    return headers;
}

/* layer.timing.render. NULL: it is not plain. */
static PyObject *timing_headers(Layer *layer, double seconds, PyObject *shares) {
    double microseconds = seconds * 1e6;
    if (layer->timing == NULL || !IS_A(layer->timing, TimingHeaders) || shares == NULL || !(microseconds >= 0.0 && microseconds < 1e15))
        return NULL;
    PyObject *headers = microseconds < REMEMBERED ? remembered_headers(layer, (Py_ssize_t)microseconds)
                                                  : rendered_headers(layer, (long long)microseconds);
    if (headers == NULL || shares == Py_None)
        return headers;
    PyObject *shared = PyObject_CallMethodObjArgs(layer->timing, text_shared, headers, shares, NULL);
    Py_DECREF(headers);
    if (shared != NULL && !PyTuple_CheckExact(shared))
        Py_CLEAR(shared);
    return shared;
}

/* The message with our headers, after those of the app. */
static PyObject *with_headers(Exchange *self, PyObject *message, PyObject *headers) {
    Layer *layer = (Layer *)self->layer;
    PyObject *added = timing_headers(layer, self->first_byte - self->current.started, self->current.shares);
    PyObject *all = added ? with_our_headers(headers, layer->sends_id ? self->current.id : NULL, added) : NULL;
    PyObject *changed = all ? PyDict_Copy(message) : NULL;
    if (changed != NULL && PyDict_SetItem(changed, text_headers, all) < 0)
        Py_CLEAR(changed);
    Py_XDECREF(all);
    Py_XDECREF(added);
    return changed;
}

static PyObject *start_plainly(Exchange *self, PyObject *message) {
    Layer *layer = (Layer *)self->layer;
    if (self->status != zero || self->layer == NULL || !IS_A(self->layer, Layer) || now(&self->first_byte) < 0)
        return NULL;
    PyObject *status = PyDict_GetItemWithError(message, text_status);
    PyObject *headers = PyDict_GetItemWithError(message, text_headers);
    if (status == NULL || !PyLong_CheckExact(status) || headers == NULL || !PyList_CheckExact(headers) ||
        layer->more_headers != Py_None ||
        PyDict_GetItemWithError(message, text_trailers) != NULL)
        return NULL;
    for (Py_ssize_t at = 0; at < PyList_GET_SIZE(headers); at++) {
        PyObject *name = name_of(PyList_GET_ITEM(headers, at));
        if (name == NULL || is_ours(name))
            return NULL;
    }
    Py_INCREF(status);
    Py_INCREF(headers);
    PyObject *changed = layer->adds_headers ? with_headers(self, message, headers) : Py_NewRef(message);
    if (changed != NULL) {
        put(&self->status, status);
        put(&self->headers, headers);
    }
    Py_DECREF(status);
    Py_DECREF(headers);
    return changed;
}

/* exchange.Exchange._before and ._after */

static PyObject *exchange_before(PyObject *object, PyObject *message) {
    Exchange *self = (Exchange *)object;
    PyObject *kind = PyDict_CheckExact(message) ? PyDict_GetItemWithError(message, text_type) : NULL, *changed = NULL;
    if (is_text(kind, kind_start))
        changed = start_plainly(self, message);
    else if (is_text(kind, kind_body)) {
        int goes_on = flag_in(message, text_more_body);
        if (goes_on == 0)
            self->last = !self->trailers;
        changed = goes_on >= 0 ? Py_NewRef(message) : NULL;
    }
    if (changed == NULL && falls_back())
        changed = PyObject_CallFunctionObjArgs(plain_before, object, message, NULL);
    return changed;
}

/* Returns 1 where it is done, 0 where it is not plain, -1 where something was raised. */
static int count_body(Exchange *self, PyObject *message) {
    PyObject *body = PyDict_GetItemWithError(message, text_body);
    int goes_on = flag_in(message, text_more_body);
    if (goes_on < 0 || (body == NULL ? PyErr_Occurred() != NULL : !PyBytes_CheckExact(body)))
        return 0;
    Py_ssize_t size = body ? PyBytes_GET_SIZE(body) : 0;
    if (!goes_on && self->last && self->ended == 0.0)
        return end_plainly(self, size);
    self->sent += size;
    self->parts += goes_on;
    return 1;
}

static PyObject *exchange_after(PyObject *object, PyObject *message) {
    PyObject *kind = PyDict_CheckExact(message) ? PyDict_GetItemWithError(message, text_type) : NULL;
    int done = is_text(kind, kind_start);
    if (is_text(kind, kind_body))
        done = count_body((Exchange *)object, message);
    if (done)
        return done > 0 ? Py_NewRef(Py_None) : NULL;
    return falls_back() ? PyObject_CallFunctionObjArgs(plain_after, object, message, NULL) : NULL;
}

/* layer.Layer._enter, for a request where nothing is current, while nothing of ours has failed */

static int is_for_us(Layer *self, PyObject *scope) {
    if (self->endpoints == Py_None)
        return 0;
    PyObject *path = PyDict_GetItemWithError(scope, text_path), *root = PyDict_GetItemWithError(scope, text_root_path);
    if (self->endpoints == NULL || path == NULL || !PyUnicode_CheckExact(path) ||
        (root != NULL && !(PyUnicode_CheckExact(root) && PyUnicode_GET_LENGTH(root) == 0)))
        return -1;
    PyObject *answer = PyObject_CallMethodOneArg(self->endpoints, text_serves, path);
    int serves = answer ? PyObject_IsTrue(answer) : -1;
    Py_XDECREF(answer);
    return serves;
}

/* NULL: it is not plain, and nothing has been done. */
static Exchange *enter_plainly(PyObject *object, PyObject *const *given) {
    Layer *self = (Layer *)object;
    PyObject *scope = given[0], *outer = NULL;
    if (exchange_class == NULL || current == NULL || self->failures || self->exclusions != Py_None ||
        !IS_TUPLE(self->tell_of_arrival) || self->inlets == NULL || !PyDict_Check(self->inlets) || !PyDict_CheckExact(scope) ||
        !is_text(PyDict_GetItemWithError(scope, text_type), kind_http) || PyContextVar_Get(current, NULL, &outer) < 0)
        return NULL;
    int is_alone = outer == NULL || outer == Py_None;
    Py_XDECREF(outer);
    if (!is_alone || is_for_us(self, scope) != 0)
        return NULL;
    Exchange *exchange = begin(object, scope, given[1], given[2]);
    PyObject *token = exchange ? PyContextVar_Set(current, (PyObject *)exchange) : NULL;
    if (token != NULL) {
        Py_SETREF(exchange->current.token, token);
        exchange->current.is_alone = 1;
    } else if (exchange != NULL) {
        add_to(((Inlet *)exchange->inlet)->active, -1.0);
        Py_CLEAR(exchange);
    }
    return exchange;
}

static PyObject *layer_enter(PyObject *self, PyObject *const *given, Py_ssize_t count) {
    Exchange *exchange = count == 3 ? enter_plainly(self, given) : NULL;
    if (exchange == NULL)
        return falls_back() ? call_plain(plain_enter, self, given, count) : NULL;
    if (tell_exchange(exchange, ((Layer *)self)->tell_of_arrival, wants_arrival) < 0)
        Py_CLEAR(exchange);
    return (PyObject *)exchange;
}

/* layer.Layer._leave, where the response was complete, and the app had nothing to do after it */

/* Whether the response was complete, and no more than a moment ago. */
static int has_ended(Exchange *self) {
    double time;
    return self->recorded && self->ended != 0.0 && now(&time) == 0 && time - self->ended <= BACKGROUND_FROM;
}

/* Whether something was noted that `caught.take_caught` must take away. */
static int has_caught(Exchange *self) {
    PyObject *carried = self->current.carried;
    return carried != Py_None && (carried == NULL || !PyDict_CheckExact(carried) ||
                                  PyDict_GetItemWithError(carried, text_caught) != NULL || PyErr_Occurred());
}

static PyObject *leave_plainly(Exchange *self, PyObject *observers) {
    PyObject *token = Py_NewRef(self->current.token), *kind, *error, *trace;
    self->current.over = 1;
    int failed = tell_exchange(self, observers, wants_return);
    put(&self->current.token, Py_None);
    PyErr_Fetch(&kind, &error, &trace);
    if (PyContextVar_Reset(current, token) < 0) {
        if (!PyErr_ExceptionMatches(PyExc_ValueError))
            failed = -1;
        else
            PyErr_Clear(); /* closed as a generator, in another context than the one it ran in */
    }
    if (kind != NULL)
        PyErr_Restore(kind, error, trace);
    Py_DECREF(token);
    return failed ? NULL : Py_NewRef(Py_None);
}

static PyObject *layer_leave(PyObject *object, PyObject *const *given, Py_ssize_t count) {
    PyObject *observers = ((Layer *)object)->tell_of_return;
    if (count == 2 && given[1] == Py_None && IS_A(given[0], Exchange) && IS_TUPLE(observers)) {
        Exchange *exchange = (Exchange *)given[0];
        PyObject *token = exchange->current.token;
        if (exchange->current.is_alone && token != NULL && token != Py_None && !has_caught(exchange) && has_ended(exchange))
            return leave_plainly(exchange, observers);
    }
    return falls_back() ? call_plain(plain_leave, object, given, count) : NULL;
}

/* server_spans.ServerSpans, of a request that is not sampled */

static Pending *pending_of(PyObject *exchange) {
    if (!IS_A(exchange, Exchange))
        return NULL;
    PyObject *trace = ((Exchange *)exchange)->current.trace;
    return trace != NULL && (PyObject *)Py_TYPE(trace) == pending_class ? (Pending *)trace : NULL;
}

static int is_current_empty(PyObject *variable) {
    PyObject *ambient = NULL;
    if (PyContextVar_Get(variable, NULL, &ambient) < 0 || ambient == NULL)
        return 0;
    int is_empty = (PyObject *)Py_TYPE(ambient) == context_class && PyDict_GET_SIZE(ambient) == 0;
    Py_DECREF(ambient);
    return is_empty;
}

/* Whether the lower half of a trace's ID, in hexadecimal digits, is at or above a bound. */
static int is_unsampled(const char *low, PyObject *bound) {
    return bound != NULL && PyBytes_CheckExact(bound) && PyBytes_GET_SIZE(bound) == 16 &&
           memcmp(low, PyBytes_AS_STRING(bound), 16) >= 0;
}

/* pending.root_id of a request that is not sampled. NULL: it is not plain, or it is sampled. */
static PyObject *unsampled_root(Spans *spans, Current *request) {
    Told told = {0};
    if (!read_headers(PyDict_GetItemWithError(request->scope, text_headers), &told))
        return NULL;
    if (told.parents) {
        const char *parent = plain_parent(&told);
        if (parent == NULL)
            return NULL;
        /* An odd last digit: of letters, those that are even have odd codes. */
        int is_sampled = parent[54] >= 'a' ? !(parent[54] & 1) : parent[54] & 1;
        PyObject *bound = is_sampled ? spans->bound_of_sampled : spans->bound_of_unsampled;
        return is_unsampled(parent + 19, bound) ? Py_NewRef(zero) : NULL;
    }
    /* An ID that came with the request is no trace's. */
    int is_told = told.request_id || told.correlation_id || told.more_of_trace;
    PyObject *id = is_told ? take_fresh_id() : Py_XNewRef(request->id);
    if (id == NULL || !PyBytes_CheckExact(id) || PyBytes_GET_SIZE(id) != 32 ||
        !is_unsampled(PyBytes_AS_STRING(id) + 16, spans->bound_of_fresh))
        Py_CLEAR(id);
    return id;
}

/* NULL: it is not plain, and nothing has been done. */
static Pending *make_pending(PyObject *spans, Exchange *exchange) {
    PyObject *root = unsampled_root((Spans *)spans, &exchange->current);
    Pending *self = root ? (Pending *)PyDict_Type.tp_new((PyTypeObject *)pending_class, empty_tuple, NULL) : NULL;
    if (self == NULL)
        Py_XDECREF(root);
    else {
        self->root_id = root;
        self->spans = Py_NewRef(spans);
        self->scope = Py_NewRef(exchange->current.scope);
        self->request_id = Py_NewRef(exchange->current.id);
        self->started = exchange->current.started;
        self->sampled = Py_NewRef(Py_False);
    }
    return self;
}

static PyObject *spans_started(PyObject *object, PyObject *exchange) {
    Spans *self = (Spans *)object;
    if (pending_class != NULL && self->var != NULL && PyContextVar_CheckExact(self->var) && IS_A(exchange, Exchange)) {
        Current *request = &((Exchange *)exchange)->current;
        Pending *pending = NULL;
        if (request->scope != NULL && PyDict_CheckExact(request->scope) && request->id != NULL && is_current_empty(self->var))
            pending = make_pending(object, (Exchange *)exchange);
        if (pending != NULL && (pending->token = PyContextVar_Set(self->var, (PyObject *)pending)) != NULL) {
            Py_XSETREF(request->trace, (PyObject *)pending);
            Py_RETURN_NONE;
        }
        Py_XDECREF(pending);
    }
    return falls_back() ? PyObject_CallFunctionObjArgs(plain_started, object, exchange, NULL) : NULL;
}

static PyObject *spans_ended(PyObject *self, PyObject *const *given, Py_ssize_t count) {
    if (count == 4 && PyFloat_CheckExact(given[2]) && PyFloat_AS_DOUBLE(given[2]) <= ((Spans *)self)->budget) {
        Pending *pending = pending_of(given[0]);
        PyObject *error = pending ? ((Exchange *)given[0])->error : NULL;
        if (error == empty_text && pending->sampled == Py_False)
            Py_RETURN_NONE;
    }
    return call_plain(plain_span_ended, self, given, count);
}

static PyObject *spans_left(PyObject *self, PyObject *exchange) {
    Pending *pending = pending_of(exchange);
    PyObject *variable = ((Spans *)self)->var;
    if (pending != NULL && variable != NULL && PyContextVar_CheckExact(variable) && pending->token != NULL &&
        PyContextToken_CheckExact(pending->token) && PyContextVar_Reset(variable, pending->token) == 0)
        Py_RETURN_NONE;
    return falls_back() ? PyObject_CallFunctionObjArgs(plain_left, self, exchange, NULL) : NULL;
}

/* worker.Worker.arrived, on the loop that it was told of the last time, as long as there is nothing to do about it */

static int is_same_loop(PyObject *known) {
    if (running_loop == NULL || known == NULL || !PyWeakref_CheckRefExact(known))
        return 0;
    PyObject *loop = PyObject_CallNoArgs(running_loop), *last;
#if PY_VERSION_HEX >= 0x030D0000
    PyWeakref_GetRef(known, &last);
#else
    last = Py_NewRef(PyWeakref_GET_OBJECT(known));
#endif
    int is_same = loop != NULL && loop == last && loop != Py_None;
    Py_XDECREF(last);
    Py_XDECREF(loop);
    return is_same;
}

static PyObject *worker_arrived(PyObject *object, PyObject *request) {
    Worker *self = (Worker *)object;
    if (IS_A(request, Exchange) && is_same_loop(self->loop) && self->watch != NULL && IS_A(self->watch, Watch)) {
        Watch *watch = (Watch *)self->watch;
        if (((Current *)request)->started - watch->told <= TOLD_EVERY && watch->period <= QUIET) {
            watch->busy = watch->asked = 1;
            Py_RETURN_NONE;
        }
    }
    return falls_back() ? PyObject_CallFunctionObjArgs(plain_arrived, object, request, NULL) : NULL;
}

/* Types. */

static PyMethodDef scalar_methods[] = {{"add", scalar_add, METH_O, NULL}, {NULL, NULL, 0, NULL}};
static PyMethodDef histogram_methods[] = {{"record", histogram_record, METH_O, NULL}, {NULL, NULL, 0, NULL}};
static PyMethodDef request_methods[] = {{"record", (PyCFunction)(void (*)(void))request_record, METH_FASTCALL, NULL},
                                        {NULL, NULL, 0, NULL}};
static PyMethodDef exchange_methods[] = {
    {"_before", exchange_before, METH_O, NULL}, {"_after", exchange_after, METH_O, NULL}, {NULL, NULL, 0, NULL}};
static PyMethodDef layer_methods[] = {{"_enter", (PyCFunction)(void (*)(void))layer_enter, METH_FASTCALL, NULL},
                                      {"_leave", (PyCFunction)(void (*)(void))layer_leave, METH_FASTCALL, NULL},
                                      {NULL, NULL, 0, NULL}};
static PyMethodDef spans_methods[] = {{"started", spans_started, METH_O, NULL},
                                      {"ended", (PyCFunction)(void (*)(void))spans_ended, METH_FASTCALL, NULL},
                                      {"left", spans_left, METH_O, NULL},
                                      {NULL, NULL, 0, NULL}};
static PyMethodDef worker_methods[] = {{"arrived", worker_arrived, METH_O, NULL}, {NULL, NULL, 0, NULL}};
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
BASE(TimingHeaders, TimingHeaders, timing, NULL)
BASE(Layer, Layer, layer, layer_methods)
BASE(Current, Current, current, NULL)
BASE(Exchange, Exchange, exchange, exchange_methods)
BASE(Spans, Spans, spans, spans_methods)
BASE(Worker, Worker, worker, worker_methods)

static PyTypeObject PendingType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "stethoscope._hot.Pending",
    .tp_basicsize = sizeof(Pending),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_members = pending_members,
    .tp_traverse = pending_traverse,
    .tp_clear = pending_clear,
    .tp_dealloc = pending_dealloc,
};

#define NUMBERS(Name, lower)                                                                                            \
    static PyTypeObject Name##Type = {                                                                                  \
        PyVarObject_HEAD_INIT(NULL, 0).tp_name = "stethoscope._hot." #Name,                                             \
        .tp_basicsize = sizeof(Name),                                                                                   \
        .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,                                                           \
        .tp_new = PyType_GenericNew,                                                                                    \
        .tp_members = lower##_members,                                                                                  \
    };

NUMBERS(Bar, bar)
NUMBERS(Watch, watch)

/* Putting it in place. */

static struct {
    PyTypeObject *base;
    const char *method;
    PyObject **plain;
} quick[] = {
    {&ScalarType, "add", &plain_add},
    {&HistogramSeriesType, "record", &plain_record},
    {&RequestSeriesType, "record", &plain_record_request},
    {&ExchangeType, "_before", &plain_before},
    {&ExchangeType, "_after", &plain_after},
    {&LayerType, "_enter", &plain_enter},
    {&LayerType, "_leave", &plain_leave},
    {&SpansType, "started", &plain_started},
    {&SpansType, "ended", &plain_span_ended},
    {&SpansType, "left", &plain_left},
    {&WorkerType, "arrived", &plain_arrived},
};

static PyMethodDef *method_of(PyTypeObject *base, const char *name) {
    PyMethodDef *method = base->tp_methods;
    while (strcmp(method->ml_name, name) != 0)
        method++;
    return method;
}

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
        /* Of this very class: that an object is of a subclass would be looked up at each call. */
        PyObject *compiled = PyDescr_NewMethod((PyTypeObject *)class, method_of(quick[at].base, quick[at].method));
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
    put(&own_correlation_id, found[1]);
    put(&own_name_route, found[2]);
    put(&unmatched, found[3]);
    Py_RETURN_NONE;
}

/* trace(Pending, Context) */
static PyObject *trace(PyObject *Py_UNUSED(module), PyObject *arguments) {
    PyObject *pending, *context;
    if (!PyArg_ParseTuple(arguments, "O!O!", &PyType_Type, &pending, &PyType_Type, &context))
        return NULL;
    if (!PyType_IsSubtype((PyTypeObject *)pending, &PendingType) || !PyType_IsSubtype((PyTypeObject *)context, &PyDict_Type)) {
        PyErr_Format(PyExc_TypeError, "trace() takes a subclass of Pending and one of dict, got %R and %R", pending, context);
        return NULL;
    }
    put(&pending_class, pending);
    put(&context_class, context);
    Py_RETURN_NONE;
}

/* run_on(function): what says which event loop is running. */
static PyObject *run_on(PyObject *Py_UNUSED(module), PyObject *function) {
    put(&running_loop, function);
    Py_RETURN_NONE;
}

/* fall_back_on(value_of): of the functions of `hot`, the one that is compiled here. */
static PyObject *fall_back_on(PyObject *Py_UNUSED(module), PyObject *function) {
    put(&plain_value_of, function);
    Py_RETURN_NONE;
}

/* read_for(clock): the function in Python that reads CLOCK_MONOTONIC, which is read here in its place; None where none does. */
static PyObject *read_for(PyObject *Py_UNUSED(module), PyObject *clock) {
    put(&own_clock, clock);
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {{"quicken", quicken, METH_O, NULL},
                                  {"value_of", (PyCFunction)(void (*)(void))value_of, METH_FASTCALL, NULL},
                                  {"fall_back_on", fall_back_on, METH_O, NULL},
                                  {"read_for", read_for, METH_O, NULL},
                                  {"observe", observe, METH_VARARGS, NULL},
                                  {"run_on", run_on, METH_O, NULL},
                                  {"trace", trace, METH_VARARGS, NULL},
                                  {NULL, NULL, 0, NULL}};

static int make_texts(void) {
#define INTERN(name)                                                                                                    \
    if ((text_##name = PyUnicode_InternFromString(#name)) == NULL)                                                      \
        return -1;
    TEXTS(INTERN)
    kind_http = PyUnicode_InternFromString("http");
    kind_start = PyUnicode_InternFromString("http.response.start");
    kind_body = PyUnicode_InternFromString("http.response.body");
    x_request_id = PyBytes_FromString("x-request-id");
    empty_text = PyUnicode_InternFromString("");
    zero = PyLong_FromLong(0);
    empty_tuple = PyTuple_New(0);
    return kind_http && kind_start && kind_body && x_request_id && empty_text && zero && empty_tuple ? 0 : -1;
}

static int fill(PyObject *module) {
    PyTypeObject *types[] = {&ScalarType,  &HistogramSeriesType, &RequestSeriesType, &InletType, &BarType,   &LayerType,
                             &CurrentType, &ExchangeType,        &PendingType,       &SpansType, &WatchType, &WorkerType,
                             &TimingHeadersType};
    if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
        PyErr_SetString(PyExc_ImportError, "what it keeps is of one interpreter; others run the Python code");
        return -1;
    }
    ExchangeType.tp_base = &CurrentType;
    PendingType.tp_base = &PyDict_Type;
    for (size_t at = 0; at < sizeof(types) / sizeof(types[0]); at++)
        if (PyModule_AddType(module, types[at]) < 0)
            return -1;
    return make_texts() < 0 ? -1 : PyModule_AddStringConstant(module, "SOURCE", SOURCE);
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, fill}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "stethoscope._hot", .m_methods = functions, .m_slots = slots};

PyMODINIT_FUNC PyInit__hot(void) { return PyModuleDef_Init(&definition); }
