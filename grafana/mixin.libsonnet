// What jsonnet users take: dashboards and rules as a mixin.
{
  grafanaDashboards+:: {
    'overview.json': import 'dashboards/overview.json',
    'route.json': import 'dashboards/route.json',
    'database.json': import 'dashboards/database.json',
    'runtime.json': import 'dashboards/runtime.json',
    'slo.json': import 'dashboards/slo.json',
    'health.json': import 'dashboards/health.json',
    'runbook.json': import 'dashboards/runbook.json',
  },
  prometheusRules+:: std.parseYaml(importstr 'rules/recording.yaml'),
  prometheusAlerts+:: std.parseYaml(importstr 'rules/alerts.yaml'),
}
