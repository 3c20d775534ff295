public enum StageKitPlaceholder {}
