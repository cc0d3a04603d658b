using System.Globalization;
using System.Text;

namespace Posthorn.Bench.Queue;

/// <summary>What was written down every ten seconds.</summary>
internal readonly record struct SoakSample(double Seconds, long MiB, int Acknowledged, int Taken)
{
    internal const string Head = "seconds,MiB,acknowledged,taken";

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Seconds:F0},{MiB},{Acknowledged},{Taken}");

    internal static SoakSample Parse(string line)
    {
        string[] parts = line.Split(',');
        return new(double.Parse(parts[0], CultureInfo.InvariantCulture), long.Parse(parts[1], CultureInfo.InvariantCulture), int.Parse(parts[2], CultureInfo.InvariantCulture), int.Parse(parts[3], CultureInfo.InvariantCulture));
    }
}

/// <summary>A picture of a soak: resident memory, and the messages that are on their way, over time.</summary>
internal static class SoakPlot
{
    private const int Left = 60, Top = 40, Width = 640, Height = 240;

    internal static string Of(IReadOnlyList<SoakSample> samples)
    {
        double minutes = Math.Max(1, samples[^1].Seconds / 60);
        double most = Math.Max(50, Math.Ceiling(samples.Max(sample => Math.Max(sample.MiB, sample.Acknowledged - sample.Taken)) / 50.0) * 50);
        StringBuilder svg = new();
        Line($"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{Left + Width + 20}\" height=\"{Top + Height + 50}\" font-family=\"sans-serif\" font-size=\"12\">");
        Line($"<rect width=\"100%\" height=\"100%\" fill=\"white\"/>");
        Line($"<text x=\"{Left}\" y=\"20\"><tspan fill=\"#2f6f4f\" font-weight=\"bold\">resident memory, MiB</tspan><tspan dx=\"20\" fill=\"#c8963e\" font-weight=\"bold\">messages on their way</tspan></text>");
        for (double value = 0; value <= most; value += most / 5)
            Line($"<line x1=\"{Left}\" x2=\"{Left + Width}\" y1=\"{Y(value):F1}\" y2=\"{Y(value):F1}\" stroke=\"#ddd\"/><text x=\"{Left - 6}\" y=\"{Y(value) + 4:F1}\" text-anchor=\"end\" fill=\"#666\">{value:F0}</text>");
        for (int tick = 0; tick <= 6; tick++)
            Line($"<text x=\"{X(minutes * 10 * tick):F1}\" y=\"{Top + Height + 18}\" text-anchor=\"middle\" fill=\"#666\">{minutes * tick / 6:F0}</text>");
        Line($"<text x=\"{Left + Width / 2}\" y=\"{Top + Height + 38}\" text-anchor=\"middle\">minutes; {samples[^1].Acknowledged:N0} messages relayed</text>");
        Curve(sample => sample.Acknowledged - sample.Taken, "#c8963e");
        Curve(sample => sample.MiB, "#2f6f4f");
        Line($"</svg>");
        return svg.ToString();

        void Curve(Func<SoakSample, double> value, string colour) =>
            Line($"<polyline points=\"{string.Join(' ', samples.Select(sample => string.Create(CultureInfo.InvariantCulture, $"{X(sample.Seconds):F1},{Y(value(sample)):F1}")))}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>");
        double X(double seconds) => Left + Width * seconds / (minutes * 60);
        double Y(double value) => Top + Height - Height * value / most;
        void Line(FormattableString text) => svg.AppendLine(text.ToString(CultureInfo.InvariantCulture));
    }
}
