// What else can be watched, and the line of code that switches it on.

import { Missing } from "../parts/card.tsx";

export function More() {
  return (
    <details class="more">
      <summary>What else can be watched</summary>
      <div class="columns">
        <Missing title="Database" code="stethoscope.watch(engine)">
          Queries, pools and slow statements of SQLAlchemy engines, sync and async.
        </Missing>
        <Missing title="Caches" code={'with stethoscope.timer("cache get"):\n    value = cache.get(key)'}>
          Time what your cache takes; its hits are a <code>stethoscope.Counter</code>.
        </Missing>
        <Missing title="Background jobs" code={"STETHOSCOPE_SERVICE=shop\n\n@stethoscope.timer(\"send receipt\")\ndef job(): ..."}>
          Job workers record into the same numbers when they name the service.
        </Missing>
        <Missing title="Upstream and LLM calls" code={'with stethoscope.timer("llm complete"):\n    answer = client.complete(prompt)'}>
          Duration and errors of calls; tokens and cost are a <code>stethoscope.Counter</code>.
        </Missing>
      </div>
    </details>
  );
}
