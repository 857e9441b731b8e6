"""Server spans for OpenTelemetry: one for each request, under the HTTP conventions.

switch        on or off; OpenTelemetry is imported only where it may be on
provider      the tracer provider: the user's, or one made from the standard variables
batches       what our own provider sends with: bounded, counted, quick to end
server_spans  the observer that makes the spans
pending       the context that the app runs in; its span is made when somebody wants it
query_spans   spans of database operations
odds          what a sampler will say, found without asking it
parents       what a request's headers say of its parent
conventions   attributes
joining       server spans of other layers in the process, which are completed instead of doubled
"""
