using System.Globalization;
using System.Security;
using System.Text;

namespace Posthorn.Bench.Compare.Growth;

/// <summary>Curves on two logarithmic scales: what grows in proportion is parallel to the dashed line.</summary>
internal static class PlotImage
{
    private const int Left = 80, Top = 40, Width = 460, Height = 340, Legend = 300;
    private static readonly string[] Colours = ["#2f6f4f", "#c8963e", "#b02020", "#2f4f8f", "#7a3f8f", "#666", "#1f9f9f", "#9f5f1f"];

    internal static string Of(Plot plot)
    {
        (double Size, double Value)[] all = [.. plot.Curves.SelectMany(curve => curve.Points)];
        (double Low, double High) x = Decades(all.Select(point => point.Size)), y = Decades(all.Select(point => point.Value));
        StringBuilder svg = new();
        Line($"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{Left + Width + Legend}\" height=\"{Top + Height + 50}\" font-family=\"sans-serif\" font-size=\"12\">");
        Line($"<rect width=\"100%\" height=\"100%\" fill=\"white\"/>");
        Line($"<text x=\"12\" y=\"20\" font-weight=\"bold\">{SecurityElement.Escape(plot.Title)}</text>");
        for (double tick = x.Low; tick <= x.High; tick++)
            Line($"<line x1=\"{X(tick):F1}\" x2=\"{X(tick):F1}\" y1=\"{Top}\" y2=\"{Top + Height}\" stroke=\"#ddd\"/><text x=\"{X(tick):F1}\" y=\"{Top + Height + 16}\" text-anchor=\"middle\" fill=\"#666\">{Math.Pow(10, tick):N0}</text>");
        for (double tick = y.Low; tick <= y.High; tick++)
            Line($"<line x1=\"{Left}\" x2=\"{Left + Width}\" y1=\"{Y(tick):F1}\" y2=\"{Y(tick):F1}\" stroke=\"#ddd\"/><text x=\"{Left - 6}\" y=\"{Y(tick) + 4:F1}\" text-anchor=\"end\" fill=\"#666\">{Math.Pow(10, tick):G4}</text>");
        Line($"<text x=\"{Left + Width / 2}\" y=\"{Top + Height + 36}\" text-anchor=\"middle\">{SecurityElement.Escape(plot.Sizes)}</text>");
        Line($"<text x=\"14\" y=\"{Top - 8}\">{SecurityElement.Escape(plot.Unit)}</text>");
        double span = Math.Min(x.High - x.Low, y.High - y.Low);
        Line($"<line x1=\"{X(x.Low):F1}\" y1=\"{Y(y.Low):F1}\" x2=\"{X(x.Low + span):F1}\" y2=\"{Y(y.Low + span):F1}\" stroke=\"#999\" stroke-dasharray=\"5 4\"/>");
        for (int i = 0; i < plot.Curves.Count; i++) Draw(plot.Curves[i], Colours[i % Colours.Length], Top + 14 + i * 20);
        Line($"</svg>");
        return svg.ToString();

        void Draw(Curve curve, string colour, int legend)
        {
            string points = string.Join(' ', curve.Points.Select(point => string.Create(CultureInfo.InvariantCulture, $"{X(Math.Log10(point.Size)):F1},{Y(Math.Log10(point.Value)):F1}")));
            Line($"<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>");
            foreach ((double size, double value) in curve.Points) Line($"<circle cx=\"{X(Math.Log10(size)):F1}\" cy=\"{Y(Math.Log10(value)):F1}\" r=\"3\" fill=\"{colour}\"/>");
            Line($"<rect x=\"{Left + Width + 16}\" y=\"{legend - 9}\" width=\"12\" height=\"10\" fill=\"{colour}\"/><text x=\"{Left + Width + 33}\" y=\"{legend}\">{SecurityElement.Escape(curve.Name)}</text>");
        }

        double X(double decade) => Left + Width * (decade - x.Low) / (x.High - x.Low);
        double Y(double decade) => Top + Height - Height * (decade - y.Low) / (y.High - y.Low);
        void Line(FormattableString text) => svg.AppendLine(text.ToString(CultureInfo.InvariantCulture));
    }

    internal static string Table(Plot plot)
    {
        StringBuilder text = new();
        double[] sizes = [.. plot.Curves.SelectMany(curve => curve.Points.Select(point => point.Size)).Distinct().Order()];
        text.AppendLine(CultureInfo.InvariantCulture, $"| {plot.Sizes} | {string.Join(" | ", sizes.Select(size => size.ToString("N0", CultureInfo.InvariantCulture)))} |");
        text.AppendLine("|---|" + string.Concat(sizes.Select(_ => "---|")));
        foreach (Curve curve in plot.Curves)
            text.AppendLine(CultureInfo.InvariantCulture, $"| {curve.Name} | {string.Join(" | ", sizes.Select(size => curve.Points.Any(point => point.Size == size) ? Report.Table.Number(curve.Points.First(point => point.Size == size).Value) : ""))} |");
        return text.ToString();
    }

    private static (double Low, double High) Decades(IEnumerable<double> values)
    {
        double[] all = [.. values.Select(Math.Log10)];
        double low = Math.Floor(all.Min()), high = Math.Ceiling(all.Max());
        return (low, Math.Max(high, low + 1));
    }
}
