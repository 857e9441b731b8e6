// Line drawings on a grid of 24.

const PATHS = {
  overview: "M3 12h4l3-8 4 16 3-8h4",
  routes: "M6 4v10a4 4 0 0 0 4 4h8M14 14l4 4-4 4M6 4m-2 0a2 2 0 1 0 4 0 2 2 0 1 0-4 0",
  database: "M4 6c0-4 16-4 16 0s-16 4-16 0v12c0 4 16 4 16 0V6M4 12c0 4 16 4 16 0",
  requests: "M4 5h16M4 12h10M4 19h6M18 14m-3 0a3 3 0 1 0 6 0 3 3 0 1 0-6 0M20.5 16.5 23 19",
  runtime: "M7 7h10v10H7zM10 3v4M14 3v4M10 17v4M14 17v4M3 10h4M3 14h4M17 10h4M17 14h4",
  pause: "M8 5v14M16 5v14",
  play: "M7 4l13 8-13 8z",
  sun: "M12 12m-4 0a4 4 0 1 0 8 0 4 4 0 1 0-8 0M12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.5 1.5M17.5 17.5 19 19M5 19l1.5-1.5M17.5 6.5 19 5",
  moon: "M20 14A8.5 8.5 0 0 1 10 4a8.5 8.5 0 1 0 10 10z",
  leave: "M10 4H5v16h5M14 8l4 4-4 4M9 12h9",
  again: "M4 12a8 8 0 1 0 2.5-5.8M4 4v4h4",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
