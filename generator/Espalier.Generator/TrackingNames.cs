namespace Espalier.Generator;

/// <summary>Names of the generator's steps: the tests of its incrementality find them by reflection.</summary>
internal static class TrackingNames
{
    /// <summary>One AdditionalFile → one parsed manifest, or why it is malformed.</summary>
    public const string Manifest = "Espalier.Manifest";

    public const string Manifests = "Espalier.Manifests";

    /// <summary>One policy class as plain values, with its places.</summary>
    public const string Attributed = "Espalier.Attributed";

    /// <summary>One policy class as plain values, without places.</summary>
    public const string Policy = "Espalier.Policy";

    /// <summary>One policy with the manifest of its model.</summary>
    public const string Input = "Espalier.Input";

    /// <summary>One policy resolved against its model: groups, sizes, costs.</summary>
    public const string Resolved = "Espalier.Resolved";

    /// <summary>Whether the project references the runtime.</summary>
    public const string Runtime = "Espalier.Runtime";

    /// <summary>Which of the packages that code is written for the project references.</summary>
    public const string Extensions = "Espalier.Extensions";

    /// <summary>A policy with the packages that code is written for.</summary>
    public const string Extended = "Espalier.Extended";

    /// <summary>What the emitter turns into text.</summary>
    public const string Emission = "Espalier.Emission";

    public const string ProjectFolder = "Espalier.ProjectFolder";

    /// <summary>Where the rules of one policy are written.</summary>
    public const string Locations = "Espalier.Locations";

    /// <summary>Whether this is a build, in which the generator reports.</summary>
    public const string Reports = "Espalier.Reports";

    /// <summary>What the targets say of the project.</summary>
    public const string Project = "Espalier.Project";

    /// <summary>Where one policy class is written, in a build.</summary>
    public const string Reported = "Espalier.Reported";
}
