// What every view is given.

import type { Point } from "./documents.ts";
import type { Thresholds } from "./levels.ts";
import type { WindowName } from "./live.ts";

export interface Context {
  readonly window: WindowName;
  /** Seconds that charts show. */
  readonly range: number;
  /** What happened in that time. */
  readonly points: readonly Point[];
  readonly thresholds: Thresholds;
  readonly theme: string;
  readonly paused: boolean;
  /** To be told when an answer is that whoever looks is not signed in any more. */
  readonly onSignedOut: () => void;
}
