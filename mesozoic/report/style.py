"""How a report looks."""

STYLE = """
:root { color-scheme: light }
body { margin: 0; background: #faf7f0; color: #20190f; font: 15px/1.5 system-ui, -apple-system, sans-serif }
main { max-width: 1120px; margin: 0 auto; padding: 12px 20px 40px }
h1 { font-size: 26px; margin: 18px 0 8px }
h2 { font-size: 20px; margin: 34px 0 6px; padding-bottom: 3px; border-bottom: 1px solid #dccfb4 }
h3 { font-size: 16px; margin: 22px 0 4px } p { margin: 4px 0 8px; max-width: 75ch }
.wide { overflow-x: auto; margin: 6px 0 }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 14px }
th, td { padding: 3px 12px 3px 0; text-align: left; vertical-align: top; white-space: nowrap }
thead th { border-bottom: 1px solid #b9a983; color: #6b5a3f; font-weight: 600 } tbody th { font-weight: 500 }
tbody th { position: sticky; left: 0; background: #faf7f0 }
tbody tr:nth-child(even), tbody tr:nth-child(even) th { background: #f3eddf }
.good { color: #237d2d } .bad { color: #a51d12 }
.chart, pre { background: #fff; border: 1px solid #e9dfc9; border-radius: 6px; padding: 8px; margin: 6px 0 }
.chart, pre { overflow-x: auto }
.chart svg { display: block; width: 100%; height: auto }
.chart.long svg { min-width: 620px }
.panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(280px, 1fr)); gap: 4px }
.key { display: flex; flex-wrap: wrap; gap: 2px 18px; padding: 4px 8px; font-size: 13px }
.key i { display: inline-block; width: 18px; height: 3px; margin-right: 6px; vertical-align: 4px }
pre { font-size: 13px }
iframe { width: 100%; height: min(720px, 90vh); border: 1px solid #dccfb4; border-radius: 6px; background: #faf7f0 }
footer { margin-top: 40px; color: #6b5a3f; font-size: 13px }
@media print { iframe { display: none } body { background: #fff } }
"""
