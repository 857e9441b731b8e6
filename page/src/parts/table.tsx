// A table that can be sorted by any column; every column says what it is.

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { digits } from "../format.ts";

/** Rows that are shown at once: a browser takes long for thousands. */
const ROWS = 100;

export interface Column<Row> {
  readonly key: string;
  readonly name: string;
  readonly hint: string;
  /** What the column is sorted by; text ascends first, numbers descend first. */
  readonly value: (row: Row) => string | number | null;
  readonly cell?: (row: Row) => ComponentChildren;
  readonly numeric?: boolean;
  /** Left out where the screen is narrow. */
  readonly wide?: boolean;
}

interface Props<Row> {
  readonly caption: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly rowKey: (row: Row) => string;
  readonly empty: ComponentChildren;
  readonly sortedBy?: string;
}

export function Table<Row>({ caption, columns, rows, rowKey, empty, sortedBy }: Props<Row>) {
  const [most, setMost] = useState(ROWS);
  const [sort, setSort] = useState({ key: sortedBy ?? "", down: true });
  const column = columns.find((one) => one.key === sort.key);
  const sorted = column ? [...rows].sort((one, other) => compare(column.value(one), column.value(other), sort.down)) : rows;

  /** The last one where the screen is narrow. */
  const edge = columns.findLast((one) => !one.wide);

  function choose(chosen: Column<Row>): void {
    setSort(sort.key === chosen.key ? { ...sort, down: !sort.down } : { key: chosen.key, down: Boolean(chosen.numeric) });
  }

  if (rows.length === 0) return <div class="empty">{empty}</div>;
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={caption}>
      <table>
        <caption class="unseen">{caption}</caption>
        <thead>
          <tr>
            {columns.map((one) => (
              <th key={one.key} scope="col" class={classes(one, one === edge)} aria-sort={ordered(one.key === sort.key, sort.down)}>
                <button type="button" data-hint={one.hint} onClick={() => choose(one)}>
                  {one.name}<span class="arrow" aria-hidden="true">{one.key === sort.key ? (sort.down ? "↓" : "↑") : ""}</span>
                </button>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {sorted.slice(0, most).map((row) => (
            <tr key={rowKey(row)}>
              {columns.map((one) => <td key={one.key} class={classes(one, one === edge)}>{one.cell ? one.cell(row) : one.value(row)}</td>)}
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length > most && (
        <p class="further">
          <button type="button" class="tool" onClick={() => setMost(most + ROWS)}>Show {Math.min(ROWS, rows.length - most)} more</button> {digits(most)} of {digits(rows.length)} are shown
        </p>
      )}
    </div>
  );
}

const classes = ({ numeric, wide }: { numeric?: boolean; wide?: boolean }, edge: boolean): string =>
  [numeric && "numeric", wide && "wide", edge && "edge"].filter(Boolean).join(" ");

const ordered = (chosen: boolean, down: boolean): "ascending" | "descending" | "none" =>
  chosen ? (down ? "descending" : "ascending") : "none";

/** What does not exist comes last, whichever way. */
export function compare(one: string | number | null, other: string | number | null, down: boolean): number {
  if (one === null || other === null) return Number(one === null) - Number(other === null);
  const order = typeof one === "number" && typeof other === "number" ? one - other : String(one).localeCompare(String(other));
  return down ? -order : order;
}
