// What applies to every view: since when, how far back, whether it moves, and who looks.

import { useState } from "preact/hooks";
import { reset } from "../api.ts";
import type { Connection, WindowName } from "../live.ts";
import { Icon } from "./icon.tsx";

interface Props {
  readonly window: WindowName;
  readonly setWindow: (window: WindowName) => void;
  readonly range: number;
  readonly setRange: (range: number) => void;
  readonly paused: boolean;
  readonly setPaused: (paused: boolean) => void;
  readonly theme: string;
  readonly nextTheme: () => void;
  readonly connection: Connection;
  readonly ticks: number;
  readonly onSignOut: () => void;
  readonly onReset: () => void;
}

const WINDOWS: readonly (readonly [WindowName, string])[] = [
  ["1m", "1 minute"],
  ["5m", "5 minutes"],
  ["15m", "15 minutes"],
  ["all", "since reset"],
];
const RANGES = [[300, "5 minutes"], [900, "15 minutes"], [1800, "30 minutes"], [3600, "1 hour"]] as const;
const STATES: Readonly<Record<Connection, string>> = {
  connecting: "Connecting",
  live: "Live",
  paused: "Paused",
  lost: "Connection lost, trying again",
  failing: "No new numbers",
  hidden: "Asleep",
};

export function Header(props: Props) {
  const { window, setWindow, range, setRange, paused, setPaused, theme, nextTheme, connection, ticks } = props;
  return (
    <header class="top">
      <a class="brand" href="#/overview"><img src="icon.svg" alt="" width="26" height="26" />Stethoscope</a>
      <p class={`state ${connection}`} role="status"><i key={ticks} />{STATES[connection]}</p>
      <div class="controls">
        <label data-hint="What the numbers cover. Charts have a range of their own.">
          <span>Numbers</span>
          <select value={window} onChange={(event) => setWindow(event.currentTarget.value as WindowName)}>
            {WINDOWS.map(([name, title]) => <option key={name} value={name}>{title}</option>)}
          </select>
        </label>
        <label data-hint="How far back charts reach. What was before this page was opened comes from the store, in steps of 15 seconds.">
          <span>Charts</span>
          <select value={range} onChange={(event) => setRange(Number(event.currentTarget.value))}>
            {RANGES.map(([seconds, title]) => <option key={seconds} value={seconds}>{title}</option>)}
          </select>
        </label>
        <button type="button" class="tool" aria-pressed={paused} data-hint="Hold everything as it is (key P)." onClick={() => setPaused(!paused)}>
          <Icon name={paused ? "play" : "pause"} /><span>{paused ? "Go on" : "Pause"}</span>
        </button>
        <Reset onReset={props.onReset} />
        <button type="button" class="tool" data-hint="Change between light and dark." aria-label={`Use ${theme === "dark" ? "light" : "dark"} colours`} onClick={nextTheme}>
          <Icon name={theme === "dark" ? "sun" : "moon"} />
        </button>
        <button type="button" class="tool" data-hint="Make this browser forget that you signed in." aria-label="Sign out" onClick={props.onSignOut}>
          <Icon name="leave" />
        </button>
      </div>
    </header>
  );
}

function Reset({ onReset }: { onReset: () => void }) {
  const [asked, setAsked] = useState(false);
  const [failed, setFailed] = useState("");

  async function start(): Promise<void> {
    setAsked(false);
    try {
      await reset();
      onReset();
      setFailed("");
    } catch (error) {
      setFailed((error as Error).message);
    }
  }

  if (asked) {
    return (
      <span class="sure" role="group" aria-label="Show numbers since now?">
        <button type="button" class="tool" onClick={() => void start()}>Count from now</button>
        <button type="button" class="tool" onClick={() => setAsked(false)}>Keep</button>
      </span>
    );
  }
  return (
    <>
      <button
        type="button" class="tool" aria-label="Show numbers since now"
        data-hint="Show numbers since now, here and in the API, to everybody. What Prometheus scrapes stays as it is."
        onClick={() => setAsked(true)}
      >
        <Icon name="again" />
      </button>
      {failed && <span role="alert">{failed}</span>}
    </>
  );
}
