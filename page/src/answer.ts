// What the API answers to a view that asks for more than the stream sends.

import { useEffect, useRef, useState } from "preact/hooks";
import { address, get, Problem, type Query, SignedOut } from "./api.ts";

/** One of both, or nothing until the first has come. */
export interface Outcome<T> {
  readonly answer?: T;
  readonly problem?: Problem;
}

/** Asked again whenever `tick` changes. Answers to another question, or to an earlier one than was shown already, are left out. */
export function useAnswer<T>(path: string, query: Query, tick: unknown, onSignedOut: () => void): Outcome<T> {
  const [outcome, setOutcome] = useState<Outcome<T>>({});
  const order = useRef({ asked: 0, shown: 0 }).current;
  const question = address(path, query).href;

  useEffect(() => () => void (order.shown = order.asked), [question]);
  useEffect(() => {
    const number = ++order.asked;
    const show = (found: Outcome<T>): void => {
      if (number <= order.shown) return;
      order.shown = number;
      setOutcome(found);
    };
    get<T>(path, query).then(
      (answer) => show({ answer }),
      (error: unknown) => {
        if (error instanceof SignedOut) onSignedOut();
        else if (error instanceof Problem) show({ problem: error });
      },
    );
  }, [question, tick]);
  return outcome;
}
