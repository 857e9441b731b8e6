// The page: who looks, at what, since when; the views are in views/.

import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { get, isSignedIn, Problem, SignedOut, signOut } from "./api.ts";
import type { Context } from "./context.ts";
import type { ThresholdTable } from "./documents.ts";
import { clock } from "./format.ts";
import { useHour, usePast } from "./hour.ts";
import type { Thresholds } from "./levels.ts";
import { type Connection, useLive, type View, type WindowName } from "./live.ts";
import { Hints } from "./parts/hint.tsx";
import { Header } from "./parts/header.tsx";
import { Navigation, VIEWS } from "./parts/navigation.tsx";
import { SignIn } from "./parts/signin.tsx";
import { usePlace } from "./place.ts";
import { Database } from "./views/database.tsx";
import { Overview } from "./views/overview.tsx";
import { Requests } from "./views/requests.tsx";
import { Route } from "./views/route.tsx";
import { Routes } from "./views/routes.tsx";
import { Runtime } from "./views/runtime.tsx";
import { useSetting } from "./setting.ts";
import { useTheme } from "./theme.ts";

type Access = "asking" | "in" | "out";

function App() {
  const [access, setAccess] = useState<Access>("asking");
  const [thresholds, setThresholds] = useState<Thresholds>({});
  const [trouble, setTrouble] = useState("");
  const [theme, nextTheme] = useTheme();

  async function enter(): Promise<void> {
    try {
      if (!(await isSignedIn())) return setAccess("out");
      setThresholds((await get<ThresholdTable>("thresholds")).items);
      setTrouble("");
      setAccess("in");
    } catch (error) {
      if (error instanceof SignedOut) setAccess("out");
      else setTrouble(error instanceof Problem ? error.message : "The service does not answer. Trying again…");
    }
  }

  useEffect(() => void enter(), []);
  useEffect(() => {
    if (!trouble) return;
    const timer = setTimeout(() => void enter(), 2000);
    return () => clearTimeout(timer);
  });

  if (access === "out") return <SignIn onSignedIn={enter} />;
  if (access === "asking") return <main class="waiting">{trouble && <p role="alert">{trouble}</p>}</main>;
  return <Watching {...{ thresholds, theme, nextTheme }} onSignedOut={() => setAccess("out")} />;
}

const STREAMS: Readonly<Record<string, View>> = {
  routes: "endpoints",
  database: "database",
  requests: "requests",
  runtime: "system",
};

interface WatchingProps {
  readonly thresholds: Thresholds;
  readonly theme: string;
  readonly nextTheme: () => void;
  readonly onSignedOut: () => void;
}

function Watching({ thresholds, theme, nextTheme, onSignedOut }: WatchingProps) {
  const place = usePlace();
  const [window, setWindow] = useSetting<WindowName>("window", "5m");
  const [range, setRange] = useSetting<number>("range", 300);
  const [paused, setPaused] = useState(false);
  const series = useHour();
  const view = VIEWS.find((one) => one.name === place.view) ?? VIEWS[0]!;
  const { document: latest, at, ticks, connection, trouble } = useLive<unknown>(STREAMS[view.name] ?? "overview", window, {
    paused,
    onPoint: series.follow,
    onSignedOut,
  });
  usePast(ticks, series, onSignedOut);
  useTitle(view.title, connection);
  useShortcut("p", () => setPaused((before) => !before));

  const context: Context = { window, range, points: series.last(range), thresholds, theme, paused, onSignedOut };
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => { event.preventDefault(); document.getElementById("main")?.focus(); }}>
        Skip to the numbers
      </a>
      <Header
        {...{ window, setWindow, range, setRange, paused, setPaused, theme, nextTheme, connection, ticks }}
        onSignOut={() => void signOut().then(onSignedOut)}
        onReset={series.clear}
      />
      <Navigation current={view.name} />
      <main id="main" class={connection} tabIndex={-1}>
        <h1 class="unseen">{view.title}</h1>
        <Shown view={view.name} rest={place.rest} latest={latest} context={context} waiting={trouble || (WAITING[connection] ?? "Listening…")} />
      </main>
      {STALE.includes(connection) && at !== undefined && <p class="stale" role="alert">{trouble || "The service does not answer."} These numbers are of {clock(at)}.</p>}
      <Hints />
    </>
  );
}

interface ShownProps {
  readonly view: string;
  readonly rest: readonly string[];
  readonly latest: unknown;
  readonly context: Context;
  /** What to say while there is nothing to show. */
  readonly waiting: string;
}

function Shown({ view, rest, latest, context, waiting }: ShownProps) {
  const [first, second] = rest;
  if (view === "routes" && first !== undefined && second !== undefined) {
    return <Route key={`${first} ${second}`} method={first} route={second} tick={latest} context={context} />;
  }
  if (latest === undefined) return <p class="empty" role="status">{waiting}</p>;
  // The stream sends the document that the view asked for.
  if (view === "routes") return <Routes document={latest as never} context={context} />;
  if (view === "database") return <Database document={latest as never} context={context} />;
  if (view === "requests") return <Requests document={latest as never} id={first} context={context} />;
  if (view === "runtime") return <Runtime document={latest as never} context={context} />;
  return <Overview document={latest as never} context={context} />;
}

/** States in which what is shown does not hold any more. */
const STALE: readonly Connection[] = ["lost", "failing"];

const WAITING: Partial<Readonly<Record<Connection, string>>> = {
  paused: "Paused: nothing of this view has come yet.",
  lost: "The service does not answer. Trying again…",
};

const MARKS: Partial<Readonly<Record<Connection, string>>> = { lost: "Lost · ", failing: "Failing · " };

function useTitle(title: string, connection: Connection): void {
  useEffect(() => {
    document.title = `${MARKS[connection] ?? ""}${title} · Stethoscope`;
  }, [title, connection]);
}

function useShortcut(key: string, act: () => void): void {
  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
      if (event.key === key && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) act();
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, []);
}

render(<App />, document.getElementById("app")!);
