"""What runs on every request: measuring it, its correlation ID, its headers, the name of its route.

    layer        the ASGI callable around an app
    exchange     one HTTP request and its response
    websocket    one WebSocket connection
    lifespan     the end of the app
    inlet        where a request is counted
    observer     who else is told of it

  what a request is given
    correlation  its ID
    timing       the headers that say how long it took
    routes       its route, as the framework names it
    route_tree   the same below Starlette's mounts
    frameworks   installing in each of them, and asking those that leave no route
    queueing     how long it waited in front of the server
    caught       the exception behind a 500 that its framework answers by itself

  what is made of it
    following    requests that are kept, to be looked at one by one
    logs         its ID in logs
    forwarding   its ID in outgoing calls

The plain way through `layer`, `exchange` and `timing` is compiled where there is a compiler: see `stethoscope.hot`.
"""
