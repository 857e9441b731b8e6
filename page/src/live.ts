// One view of the service, live: server-sent events while somebody looks, nothing while nobody does.

import { useEffect, useRef, useState } from "preact/hooks";
import { address, get, isSignedIn, SignedOut } from "./api.ts";
import type { Point } from "./documents.ts";

export type View = "overview" | "endpoints" | "database" | "requests" | "system";
export type WindowName = "1m" | "5m" | "15m" | "all";
export type Connection = "connecting" | "live" | "paused" | "lost" | "failing" | "hidden";

interface Tick {
  readonly document: unknown;
  readonly point: Point | null;
}

export interface Live<T> {
  readonly document: T | undefined;
  /** When it came, as Unix time. */
  readonly at: number | undefined;
  /** How many have come. */
  readonly ticks: number;
  readonly connection: Connection;
  /** What the service says of why it has no new numbers; empty unless the connection is failing. */
  readonly trouble: string;
}

/** Milliseconds. */
const RETRY = 1500;
/** Milliseconds without an event, of which one comes every two seconds: a connection can be dead and not know it. */
const SILENCE = 10_000;
/** Milliseconds between two looks whether whoever looks is signed in: he may have signed out elsewhere, of which a stream knows nothing. */
const ACCESS = 60_000;

interface Options {
  readonly paused: boolean;
  readonly onPoint: (point: Point) => void;
  readonly onSignedOut: () => void;
}

/** The latest document of a view; `undefined` until the first has come. */
export function useLive<T>(view: View, window: WindowName, { paused, onPoint, onSignedOut }: Options): Live<T> {
  const key = `${view} ${window}`;
  const [latest, setLatest] = useState<{ key: string; document: T; at: number }>();
  const [ticks, setTicks] = useState(0);
  const [connection, setConnection] = useState<Connection>("connecting");
  const [trouble, setTrouble] = useState("");
  const visible = useVisible();
  const told = useRef({ onPoint, onSignedOut });
  told.current = { onPoint, onSignedOut };

  useEffect(() => {
    if (paused || !visible) {
      setConnection(paused ? "paused" : "hidden");
      return;
    }
    setConnection("connecting");
    return subscribe(address("stream", { view, window }), {
      onTick: (tick) => {
        setConnection("live");
        setLatest({ key, document: tick.document as T, at: Date.now() / 1000 });
        setTicks((before) => before + 1);
        if (tick.point) told.current.onPoint(tick.point);
      },
      onFailed: (detail) => {
        setConnection("failing");
        setTrouble(detail);
      },
      onLost: () => setConnection("lost"),
      onSignedOut: () => told.current.onSignedOut(),
    });
  }, [key, paused, visible]);

  const shown = latest?.key === key ? latest : undefined;
  return { document: shown?.document, at: shown?.at, ticks, connection, trouble: connection === "failing" ? trouble : "" };
}

interface Listener {
  readonly onTick: (tick: Tick) => void;
  readonly onFailed: (detail: string) => void;
  readonly onLost: () => void;
  readonly onSignedOut: () => void;
}

/** Listens until the returned function is called; comes back by itself when the connection was lost, or silent. */
function subscribe(url: URL, { onTick, onFailed, onLost, onSignedOut }: Listener): () => void {
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let over = false;

  function open(): void {
    source = new EventSource(url);
    source.addEventListener("tick", (event) => onTick(received(event)));
    source.addEventListener("failed", (event) => onFailed(received<{ detail: string }>(event).detail));
    source.addEventListener("error", () => void lost());
    listen();
  }

  /** Be patient from now on. */
  function listen(): void {
    clearTimeout(timer);
    timer = setTimeout(() => void lost(), SILENCE);
  }

  function received<T>(event: Event): T {
    listen();
    return JSON.parse((event as MessageEvent<string>).data);
  }

  async function lost(): Promise<void> {
    source?.close();
    clearTimeout(timer);
    if (over) return;
    onLost();
    // An EventSource does not say why; an ordinary request does, unless it gets no answer either.
    const signal = AbortSignal.timeout(SILENCE);
    const error = await get("thresholds", {}, { signal }).then(() => undefined, (error: unknown) => error);
    if (over) return;
    if (error instanceof SignedOut) onSignedOut();
    else timer = setTimeout(open, RETRY);
  }

  async function look(): Promise<void> {
    const out = await isSignedIn().then((is) => !is, () => false);
    if (out && !over) onSignedOut();
  }

  open();
  const looking = setInterval(() => void look(), ACCESS);
  return () => {
    over = true;
    clearInterval(looking);
    source?.close();
    clearTimeout(timer);
  };
}

function useVisible(): boolean {
  const [visible, setVisible] = useState(() => document.visibilityState === "visible");
  useEffect(() => {
    const look = (): void => setVisible(document.visibilityState === "visible");
    document.addEventListener("visibilitychange", look);
    return () => document.removeEventListener("visibilitychange", look);
  }, []);
  return visible;
}
